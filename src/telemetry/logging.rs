//! The log stream, one line an event on standard output, where a container's logs are taken from.

use std::io::Write as _;

use env_logger::{Builder, Target, WriteStyle};
use log::{LevelFilter, kv};

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the service.
    Stdout,
    /// Standard error: a command whose output is for somebody else.
    Stderr,
}

/// Sets up logging for the whole process. `level` holds for Mynah's own modules; libraries speak from `warn` on.
/// `RUST_LOG` overrides both.
pub fn init(level: LevelFilter, stream: Stream) {
    let mut builder = Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("mynah", level)
        .filter_module("mynah_actors", level)
        .filter_module("mynah_sandbox", level)
        .parse_default_env()
        .write_style(WriteStyle::Never)
        .target(match stream {
            Stream::Stdout => Target::Stdout,
            Stream::Stderr => Target::Stderr,
        })
        .format(|out, record| {
            let target = record.target().replace("mynah_actors::", "").replace("mynah::", "");
            write!(out, "{} {:5} {target} ", out.timestamp_millis(), record.level())?;
            // Whatever came from outside is data: it may not end the line or move the cursor.
            write!(out, "{}", printable(&record.args().to_string()))?;
            let mut fields = Fields(Vec::new());
            // Collecting into a vector cannot fail.
            let _ = record.key_values().visit(&mut fields);
            for (key, value) in fields.0 {
                write!(out, " {key}={}", quoted(&printable(&value)))?;
            }
            writeln!(out)
        });
    // A second call, in a test, leaves the first in force.
    if builder.try_init().is_ok() {
        log_panics();
    }
}

/// Has every panic told in the log stream, with its place, and not beside it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        log::error!(place = place.as_str(), thread = thread.as_str(); "panic: {message}");
    }));
}

struct Fields(Vec<(String, String)>);

impl<'kvs> kv::VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([' ', '=', '"']) { format!("{value:?}") } else { value.to_owned() }
}

/// A text with nothing in it that a terminal or a log would obey: control characters become `�`, and the characters
/// that turn the direction of writing are left out.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_taken_out() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202E}c"), "a�[31mred� bc");
    }
}
