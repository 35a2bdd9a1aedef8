#[path = "build/char_table.rs"]
mod char_table;
#[path = "build/lexicon_table.rs"]
mod lexicon_table;
#[path = "build/proto.rs"]
mod proto;
#[path = "build/script_table.rs"]
mod script_table;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    proto::generate()?;
    script_table::generate()?;
    char_table::generate()?;
    lexicon_table::generate()?;
    Ok(())
}
