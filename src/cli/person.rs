//! The person at the terminal who logs in. Questions go to standard error, so that standard output has only the result.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
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
        let line = if io::stdin().is_terminal() { ask_hidden(question)? } else { self.ask(question)? };
        let secret = line.map(|line| line.trim().to_owned()).filter(|secret| !secret.is_empty());
        Ok(secret.map(SecretString::from))
    }
}

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// Asks for a line that the terminal does not show; `None` if the person pressed Ctrl-C.
fn ask_hidden(question: &str) -> io::Result<Option<String>> {
    let _hidden = Hidden::begin()?;
    write!(io::stderr(), "{question}")?;
    let mut line = Vec::new();
    let mut piece = [0; 256];
    while !line.ends_with(b"\n") && !line.contains(&INTERRUPT) {
        let length = rustix::io::read(io::stdin(), &mut piece)?;
        if length == 0 {
            break;
        }
        line.extend_from_slice(&piece[..length]);
    }
    // The end of the line is not shown, either.
    writeln!(io::stderr())?;
    if line.contains(&INTERRUPT) {
        return Ok(None);
    }
    String::from_utf8(line).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The terminal shows nothing that is typed, until this is dropped. Ctrl-C ends the line instead of the process, which would
/// leave the terminal as it is.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
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
