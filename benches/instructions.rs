//! Runs one hot path many times, so that a tool can count its instructions: `instructions mask 200`. Two runs, one with
//! twice as many rounds, differ only by the cost of the rounds, not of the start. `make bench-check` does this.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the benchmark prints its result"
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
                eprintln!("unknown path {name}, or {times} is not a number; --list prints all paths");
                return ExitCode::from(2);
            };
            let mut path = ready();
            (0..times).for_each(|_| path());
        }
        _ => println!("`make bench-check` counts the instructions"),
    }
    ExitCode::SUCCESS
}
