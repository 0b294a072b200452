//! Asks a person to confirm a decision before it is made.

use std::io::{self, IsTerminal as _, Write as _};

use super::Failure;

/// Asks a yes-or-no question on the terminal. Without a terminal there is nobody to ask.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!("{question} Confirm it with --yes")));
    }
    let mut answer = String::new();
    // If the question cannot be shown, nobody can answer it.
    let asked = write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stdin().read_line(&mut answer));
    match asked {
        Ok(_) if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") => Ok(()),
        Ok(_) => Err(Failure::Work("not confirmed; nothing was changed".into())),
        Err(error) => Err(Failure::Work(format!("cannot ask for confirmation: {error}; use --yes"))),
    }
}
