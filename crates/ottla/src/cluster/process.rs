//! Processes that outlive the command that started them: pid files, state and signals.
//!
//! A pid file names the process and when the kernel started it, so that a number that was given to
//! another program in the meantime is never signalled.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// How often the end of a process is looked for; nothing tells a stranger of it sooner.
const POLL: Duration = Duration::from_millis(5);

/// What `/proc` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Stopped by SIGSTOP.
    Paused,
    Gone,
}

/// One process, told from later ones of the same number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pid: Pid,
    /// Clock ticks after boot, field 22 of `/proc/PID/stat`.
    started: u64,
}

impl Process {
    /// The process that `pid_file` names, if it is still the same one and alive.
    pub(super) fn from_pid_file(pid_file: &Path) -> Option<Self> {
        let text = fs::read_to_string(pid_file).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let process =
            Self { pid: Pid::from_raw(pid.parse().ok()?)?, started: started.parse().ok()? };
        (process.state() != State::Gone).then_some(process)
    }

    /// Starts `command` with its output appended to `log_file`, and writes `pid_file`.
    pub(super) fn spawn(
        command: &mut Command,
        log_file: &Path,
        pid_file: &Path,
    ) -> Result<(Self, Child)> {
        let log = append_to(log_file)?;
        let errors = log.try_clone().context("duplicating the log file's handle")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let pid = Pid::from_child(&child);
        let stat = Stat::of(pid).context("the process was gone before it could be looked at")?;
        let process = Self { pid, started: stat.started };
        fs::write(pid_file, format!("{} {}\n", pid.as_raw_nonzero(), stat.started))
            .with_context(|| format!("writing {}", pid_file.display()))?;
        Ok((process, child))
    }

    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(super) fn state(&self) -> State {
        match Stat::of(self.pid) {
            Some(stat) if stat.started == self.started => match stat.state {
                'Z' | 'X' => State::Gone,
                'T' => State::Paused,
                _ => State::Running,
            },
            _ => State::Gone,
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.pid, signal)?)
    }

    /// Waits until the process is gone; false if it still is there after `patience`.
    pub(super) fn wait_until_gone(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.state() != State::Gone {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

struct Stat {
    state: char,
    started: u64,
}

impl Stat {
    fn of(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        Self::parse(&text)
    }

    /// The name in the second field may hold blanks and parentheses: fields count from the last ')'.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some(Self { state, started: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
