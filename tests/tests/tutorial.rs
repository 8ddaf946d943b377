//! The lines of five introductions to Kafka, typed as they stand, on the ports they name.

use std::process::Command;

use ottla_tests::{binary, foreign, root, run};

/// In namespaces of its own: port 9092 is free there, and the hosts file may name broker1 to broker3.
#[test]
fn the_lines_of_the_tutorials_work_as_written() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: a network of its own needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let python = foreign::python("tutorial.py");
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount", "--kill-child", "--fork", "--pid", "--mount-proc", "sh"])
        .arg(root().join("tests/tutorial.sh"))
        .arg(dir.path())
        .arg(python.get_program())
        .env("OTTLA_BIN", binary())
        .env("OTTLA_NODE_MODULES", root().join("target/foreign/node/node_modules/"))
        .current_dir(root());
    let output = run(&mut command, "");
    println!("{}", output.out);
    let _ = output.success();
}
