//! Running programs to their end.

use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::binary;

/// Nothing that is run to its end takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Output {
    /// Fails the test unless the program succeeded.
    #[must_use]
    pub fn success(self) -> Self {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.out, self.err);
        self
    }

    /// Fails the test unless the program ended with exit code 1.
    #[must_use]
    pub fn failure(self) -> Self {
        assert_eq!(self.status.code(), Some(1), "{}\n{}", self.out, self.err);
        self
    }
}

/// One of the program's tools, by its name; `ottla` itself is `ottla`.
#[must_use]
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(binary());
    if name != "ottla" {
        command.arg(name);
    }
    command
}

/// Runs a program with `input` on its standard input; killed, and the test failed, if it hangs.
#[must_use]
pub fn run(command: &mut Command, input: &str) -> Output {
    run_within(command, input, PATIENCE)
}

/// Like [`run`], with a limit of its own.
#[must_use]
pub fn run_within(command: &mut Command, input: &str, patience: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A program that ends before it has read everything breaks the pipe, which is its right.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let pid = rustix::process::Pid::from_child(&child);
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if ended.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("waitable");
    drop(done);
    let _ = writer.join();
    let _ = watchdog.join();
    Output {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
