//! What tests with a server of another program need: to be skipped without it, and to stop it, however the test ends.

use std::{
    env,
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

/// Reports that tests are skipped because a program is not installed, or fails if `variable` says that it is required.
pub(crate) fn skip(variable: &str, why: &str) {
    assert!(env::var_os(variable).is_none_or(|wanted| wanted != "required"), "{why}");
    // Past the capture of a test's output.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Acts when this process ends. A process that is killed drops nothing; its end of the pipe closes all the same.
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Runs a script with these arguments, `$0` and so on, after the end of this process.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("cat; {script}")).args(arguments);
        Self(shell.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn().unwrap())
    }

    /// Runs the script now. Returns its process.
    pub(crate) fn act(mut self) -> Child {
        drop(self.0.stdin.take());
        self.0
    }

    /// Ends it without running the script.
    pub(crate) fn dismiss(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
