#[path = "build/proto.rs"]
mod proto;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    proto::generate()?;
    Ok(())
}
