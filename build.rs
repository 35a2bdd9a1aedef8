#[path = "build/script_table.rs"]
mod script_table;

fn main() -> std::io::Result<()> {
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(format!("{out}/script_table.rs"), script_table::source())?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/script_table.rs");
    Ok(())
}
