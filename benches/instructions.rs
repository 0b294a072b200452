//! Walks one hot path so often that its instructions can be counted from outside: `instructions mask 200`. A run with twice
//! as many walks less one with as many is what the walks cost, without what starting costs. `make bench-check` does it.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is read on its output"
)]

mod paths;

use std::process::ExitCode;

use paths::PATHS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match asked[..] {
        ["--list"] => PATHS.iter().for_each(|(name, times, _)| println!("{name} {times}")),
        [name, times] => {
            let (Some((.., ready)), Ok(times)) =
                (PATHS.iter().find(|path| path.0 == name), times.parse::<u32>())
            else {
                eprintln!("there is no path {name}, or {times} is no number; --list names all");
                return ExitCode::from(2);
            };
            let mut walk = ready();
            (0..times).for_each(|_| walk());
        }
        _ => println!("instructions are counted by `make bench-check`"),
    }
    ExitCode::SUCCESS
}
