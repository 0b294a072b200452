//! The person at the terminal who logs in. Questions go to standard error, so that standard output has only the result.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::output::print_note;
use crate::login::Person;

/// The person, on standard input and standard error.
pub(super) struct AtTerminal;

impl Person for AtTerminal {
    fn show(&self, text: &str) {
        print_note(text);
    }

    fn ask(&self, question: &str) -> io::Result<Option<String>> {
        // A pipe needs no question; a person at a terminal sees it.
        write!(io::stderr(), "{question}")?;
        let mut line = String::new();
        let length = io::stdin().read_line(&mut line)?;
        Ok((length > 0).then_some(line))
    }

    fn ask_secret(&self, question: &str) -> io::Result<Option<SecretString>> {
        let _hidden = if io::stdin().is_terminal() { Some(Hidden::begin()?) } else { None };
        let line = self.ask(question)?;
        let secret = line.map(|line| line.trim().to_owned()).filter(|secret| !secret.is_empty());
        Ok(secret.map(SecretString::from))
    }
}

/// The terminal shows nothing that is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown, so that the cursor moves.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If it fails, the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
