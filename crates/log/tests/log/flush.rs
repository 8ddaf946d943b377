//! Flush plans, recovery points, storage failures.

use ottla_log::LogError;

use crate::support::{Site, batch, fill, small};

#[test]
fn a_flush_covers_what_was_appended_when_it_was_planned() {
    let site = Site::new(small());
    let mut log = site.log();
    assert!(log.flush_plan().expect("a plan").is_none());
    fill(&mut log, 40);
    let plan = log.flush_plan().expect("a plan").expect("something to flush");
    fill(&mut log, 1);
    plan.flush().expect("a flush");
    let flushed = log.flushed(&plan);
    assert_eq!((flushed.flushed, flushed.checkpoint_due), (80, true));
    let flushed = log.flush().expect("a flush");
    assert_eq!((flushed.flushed, flushed.checkpoint_due), (82, false));
    assert!(log.flush_plan().expect("a plan").is_none());
}

#[test]
fn a_plan_overtaken_by_a_truncation_counts_for_nothing() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 10);
    let plan = log.flush_plan().expect("a plan").expect("something to flush");
    log.truncate_to(6).expect("a truncation");
    fill(&mut log, 20);
    plan.flush().expect("a flush");
    assert_eq!(log.flushed(&plan).flushed, 0);
    assert_eq!(log.flush().expect("a flush").flushed, 46);
}

#[test]
fn a_flush_of_a_deleted_log_touches_nothing() {
    let site = Site::new(small());
    let mut log = site.log();
    let dir = std::sync::Arc::clone(log.dir());
    for epoch in 0..30 {
        let base = log.log_end();
        log.append(&batch(base, 2, epoch, 1)).expect("an append");
    }
    let plan = log.flush_plan().expect("a plan").expect("something to flush");
    dir.delete_many(vec![log]).expect("a deletion");
    let again = crate::support::create(&dir, "t", 0, small());
    assert!(matches!(plan.flush(), Ok(()) | Err(LogError::Overtaken)));
    assert!(!site.partition_path().join("leader-epoch-checkpoint").exists());
    assert_eq!((again.log_end(), dir.failure()), (0, None));
}

#[test]
fn the_leader_epochs_are_flushed_with_their_first_record() {
    let site = Site::new(small());
    let mut log = site.log();
    let path = site.partition_path().join("leader-epoch-checkpoint");
    log.assign_epoch(2);
    assert!(log.flush_plan().expect("a plan").is_none());
    log.append(&batch(0, 2, 3, 1)).expect("an append");
    assert_eq!(log.flush().expect("a flush").flushed, 2);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "0\n1\n3 0\n");
    log.append(&batch(2, 2, 5, 1)).expect("an append");
    log.flush().expect("a flush");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "0\n2\n3 0\n5 2\n");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    let path = site.temp.path().join("recovery-point-offset-checkpoint");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "0\n1\nt 0 4\n");
}

#[test]
fn a_failed_write_puts_the_directory_out_of_service() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 2);
    // The segment's file cannot be opened or created any more: rolling fails.
    std::fs::remove_dir_all(site.partition_path()).expect("a removal");
    assert!(matches!(log.roll(), Err(LogError::StorageFailed { .. })));
    assert!(log.dir().failure().is_some());
    let refused = log.append(&batch(log.log_end(), 1, 0, 1));
    assert!(matches!(refused, Err(LogError::StorageFailed { .. })));
    assert!(matches!(log.plan_read(0, 10, 4, true), Err(LogError::StorageFailed { .. })));
    assert!(matches!(log.dir().close_clean(1), Err(LogError::StorageFailed { .. })));
}

#[test]
#[ignore = "needs root, to mount a small filesystem"]
fn a_full_disk_puts_the_directory_out_of_service_and_loses_nothing() {
    let mount = tempfile::tempdir().expect("a directory");
    let run = |program: &str, arguments: &[&str]| {
        let status = std::process::Command::new(program).args(arguments).status();
        assert!(status.expect("the program runs").success(), "{program}");
    };
    let path = mount.path().to_str().expect("utf-8");
    run("mount", &["-t", "tmpfs", "-o", "size=200k", "ottla-test", path]);

    let dir =
        ottla_log::LogDir::open(mount.path(), crate::support::options(small())).expect("opens");
    dir.load().expect("a load");
    let mut log = crate::support::create(&dir, "t", 0, small());
    let mut kept = 0;
    let full = loop {
        let base = log.log_end();
        match log.append(&batch(base, 100, 0, 1)) {
            Ok(info) => kept = info.log_end,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, LogError::StorageFailed { .. }), "{full}");
    let said = full.to_string();
    assert!(said.contains("No space left") && said.contains("log.dirs"), "{said}");
    assert_eq!((log.log_end(), dir.failure().as_deref()), (kept, Some(&*said)));
    assert!(kept > 1000);
    drop(log);
    drop(dir);
    run("mount", &["-o", "remount,size=400k", path]);
    let dir =
        ottla_log::LogDir::open(mount.path(), crate::support::options(small())).expect("opens");
    let mut log = dir.load().expect("a load").logs.remove(0);
    assert_eq!(log.log_end(), kept);
    crate::support::read_all(&mut log, 0, 1000);
    fill(&mut log, 10);
    drop((log, dir));
    run("umount", &[path]);
}
