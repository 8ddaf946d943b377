//! One process of the program under test.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary;

/// A node's end is waited for at most this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// One node: its folder, its ports, and its process while it runs.
#[derive(Debug)]
pub struct Node {
    id: i32,
    dir: PathBuf,
    port: u16,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Node {
    /// A node that is not started yet; `properties` are written to its folder.
    #[must_use]
    pub fn new(id: i32, dir: &Path, port: u16, properties: &str) -> Self {
        fs::create_dir_all(dir).expect("the node's folder");
        fs::write(dir.join("server.properties"), properties).expect("the node's properties");
        Self { id, dir: dir.to_owned(), port, environment: Vec::new(), child: None }
    }

    /// A variable of the process's environment.
    pub fn env(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Its `node.id`.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Where its broker listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: `server.properties`, `data/` and `log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts the process; does not wait for anything.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "node {} already runs", self.id);
        let log = self.open_log();
        let errors = log.try_clone().expect("a second handle of the log");
        let mut command = Command::new(binary());
        command.args(["server", "--config"]).arg(self.dir.join("server.properties"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KAFKA_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("the node's process starts"));
    }

    fn open_log(&self) -> File {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .expect("the node's log opens")
    }

    /// Whether its process was started and not ended by us.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("the node runs"))
    }

    /// Memory in use, bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).expect("a size");
        kib.parse::<u64>().expect("a number") * 1024
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for the end of a node that ends by itself or was told to.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the node runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("waitable") {
                return status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("node {} did not end within {} s", self.id, PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGSTOP: silent, with its connections open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signalled");
    }

    /// Fails the test if the process has ended by itself.
    pub fn assert_alive(&mut self) {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait().expect("waitable")
        {
            panic!("node {} ended with {status}:\n{}", self.id, self.log());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
