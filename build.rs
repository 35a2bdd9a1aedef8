#[path = "build/proto.rs"]
mod proto;
#[path = "build/script_table.rs"]
mod script_table;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    proto::generate()?;
    script_table::generate()?;
    Ok(())
}
