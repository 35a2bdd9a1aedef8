//! `glotsift token`.

use super::Failure;
use crate::rpc::auth::{Role, Tokens, new_token};
use crate::storage::write_file;
use anyhow::{Context, anyhow};
use std::io::ErrorKind;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    /// Who it is for; stands in the log of its calls
    #[arg(long)]
    name: String,
    /// What it may be used for: classify, feedback, admin; several with commas
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', required = true)]
    roles: Vec<Role>,
    /// The file of tokens to add its hash to; made when it is not there
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// Prints the token, which is then nowhere but there, and adds its hash to the file.
pub fn run(args: TokenArgs) -> Result<(), Failure> {
    let usage = |problem: String| Failure::Usage(anyhow!("{}: {problem}", args.file.display()));
    let before = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(Failure::Usage(
                anyhow::Error::new(error).context(format!("cannot read {}", args.file.display())),
            ));
        }
    };
    if !before.trim().is_empty() {
        Tokens::parse(&before).map_err(&usage)?;
    }
    let (token, entry) =
        new_token(&args.name, &args.roles).map_err(|problem| Failure::Usage(anyhow!("token: {problem}")))?;
    let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let after = format!("{before}{gap}{entry}");
    Tokens::parse(&after).map_err(&usage)?;
    let permissions = std::fs::metadata(&args.file).map(|metadata| metadata.permissions()).ok();
    write_file(&args.file, after.as_bytes()).context("cannot keep the token's hash")?;
    // A new file is its owner's alone; one that the server could read stays readable for it.
    if let Some(permissions) = permissions {
        std::fs::set_permissions(&args.file, permissions).context("cannot restore the permissions")?;
    }
    println!("{token}");
    Ok(())
}
