//! A power cut: what was acknowledged is on the disk, whatever the page cache held.
//!
//! A child process runs a controller whose data lies on an ext4 image and says what was acknowledged. It is
//! killed at some instant, and the image is copied as it is, without any sync: what was only in the page
//! cache is missing in the copy. The copy must start, and hold everything acknowledged. Needs root and a
//! loop device; skipped otherwise.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ottla_config::{HostPort, Voter};
use ottla_metadata_controller::{Controller, ControllerOptions};
use support::*;

const IMAGE_BYTES: u64 = 96 * 1024 * 1024;
/// How long each round's controller writes before it is killed.
const ROUNDS_MS: [u64; 4] = [800, 500, 1200, 650];
const CHILD: &str = "OTTLA_POWER_CUT_DIR";

/// Unmounts when dropped, also when an assertion fails.
struct Mount(PathBuf);

impl Mount {
    fn new(image: &Path, at: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&at).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&at))?;
        Ok(Self(at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn options(dir: &Path) -> ControllerOptions {
    let port = free_port();
    let voter = Voter { id: 1, host: "127.0.0.1".to_owned(), port };
    let mut options = ControllerOptions::new(1, random_id(), vec![voter], dir.join("quorum"));
    options.listen = vec![HostPort { host: "127.0.0.1".to_owned(), port }];
    // Snapshots and purges are in it as well.
    options.snapshot_entries = 200;
    options
}

/// The child: writes until it is killed. Only runs when the parent asks for it.
#[tokio::test(flavor = "multi_thread")]
async fn child_writes_until_it_is_killed() {
    let Ok(dir) = env::var(CHILD) else { return };
    let options = options(Path::new(&dir));
    let client = client_of(&options);
    let first: u64 = env::var("OTTLA_POWER_CUT_FIRST").unwrap().parse().unwrap();
    let _handle = Controller::start(options).await.unwrap();
    for value in first.. {
        propose(&client, &set_retention(&value.to_string())).await;
        println!("acked {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_cut() {
    let scratch = tempfile::tempdir().unwrap();
    let mut image = scratch.path().join("disk.0");
    File::create(&image).unwrap().set_len(IMAGE_BYTES).unwrap();
    if let Err(reason) = run(Command::new("mkfs.ext4").arg("-q").arg(&image)) {
        println!("skipped: {reason}");
        return;
    }
    let mut acked = 0;
    for (round, millis) in ROUNDS_MS.into_iter().enumerate() {
        let mount = match Mount::new(&image, scratch.path().join(format!("mnt.{round}"))) {
            Ok(mount) => mount,
            Err(reason) if round == 0 => {
                println!("skipped: a loop device cannot be mounted here: {reason}");
                return;
            }
            Err(reason) => panic!("the image does not mount after the power cut: {reason}"),
        };
        acked = write_and_kill(&mount.0, acked + 1, Duration::from_millis(millis)).max(acked);
        let copy = scratch.path().join(format!("disk.{}", round + 1));
        run(Command::new("cp").args(["--sparse=always"]).arg(&image).arg(&copy)).unwrap();
        drop(mount);
        image = copy;
        let found = newest(&image, scratch.path().join(format!("check.{round}"))).await;
        println!("round {round}: acknowledged up to {acked}, found {found}");
        assert!(found >= acked, "lost: {found} of {acked}");
        assert!(acked > 0, "nothing was written");
    }
}

/// Returns the last value that the child said was acknowledged.
fn write_and_kill(dir: &Path, first: u64, time: Duration) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .env("OTTLA_POWER_CUT_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let values = lines.filter_map(|line| line.split("acked ").nth(1)?.trim().parse().ok());
        values.max().unwrap_or(0)
    });
    // The time of the cut, not a wait for something.
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The value that a controller over the image has.
async fn newest(image: &Path, at: PathBuf) -> u64 {
    // A copy of its own: the next round begins where the power was cut.
    let copy = at.with_extension("img");
    run(Command::new("cp").args(["--sparse=always"]).arg(image).arg(&copy)).unwrap();
    let mount = Mount::new(&copy, at).unwrap();
    let options = options(&mount.0);
    let client = client_of(&options);
    let handle = Controller::start(options).await.unwrap();
    // Once it takes a proposal, everything in its log is applied.
    propose(&client, &create_topic("t", 1)).await;
    let image = image_of(&client, |image| image.cluster_id().is_some()).await;
    handle.shutdown().await;
    let config = image.config(&ottla_metadata::ConfigResource::ClusterDefault);
    config.get("log.retention.ms").map_or(0, |value| value.parse().unwrap())
}
