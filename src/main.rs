use std::process::ExitCode;

fn main() -> ExitCode {
    glotsift::cli::run()
}
