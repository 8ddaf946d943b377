//! Restarts: after a clean stop, and after everything else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use ottla_log::{LogConfig, LogError};

use crate::support::{Site, batch, fill, names, read_all, small};

fn active(site: &Site, base: i64) -> std::path::PathBuf {
    site.partition_path().join(format!("{base:020}.log"))
}

#[test]
fn a_clean_restart_finds_everything() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 61);
    log.assign_epoch(4);
    log.set_high_watermark(100);
    let epochs = log.epochs().clone();
    site.close(log);

    let dir = site.open_dir();
    assert_eq!(dir.clean_shutdown_epoch(), Some(5));
    let mut log = dir.load().expect("a load").logs.remove(0);
    assert_eq!((log.log_start(), log.log_end(), log.flushed_offset()), (0, 122, 122));
    assert_eq!((log.high_watermark(), log.epochs()), (100, &epochs));
    assert_eq!(read_all(&mut log, 0, 500), all);
    let more = fill(&mut log, 20);
    assert_eq!(read_all(&mut log, 122, 500), more);
    drop((log, dir));
    assert_eq!(site.open_dir().clean_shutdown_epoch(), None, "the marker is good for one start");
}

#[test]
fn an_unclean_restart_finds_everything_that_was_written() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 61);
    drop(log);
    let mut log = site.log();
    assert_eq!((log.log_end(), log.flushed_offset()), (122, 122));
    assert_eq!(log.epochs().entries(), [(0, 0)]);
    assert_eq!(read_all(&mut log, 0, 500), all);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_batch() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 6);
    let (one, file) = (all.len() / 6, active(&site, 0));
    drop(log);
    let whole = fs::read(&file).expect("a file");
    for len in whole.len() - one..whole.len() {
        for garbage in [false, true] {
            let mut bytes = whole[..len].to_vec();
            if garbage {
                bytes.resize(whole.len(), 0xa5);
            }
            fs::write(&file, &bytes).expect("a write");
            let mut log = site.log();
            assert_eq!(log.log_end(), 10, "cut at {len}");
            assert_eq!(read_all(&mut log, 0, 500), all[..one * 5]);
            assert_eq!(fs::metadata(&file).expect("a file").len() as usize, one * 5);
            let more = fill(&mut log, 1);
            assert_eq!(read_all(&mut log, 10, 500), more);
            drop(log);
            fs::remove_file(site.temp.path().join("recovery-point-offset-checkpoint"))
                .expect("a file");
        }
    }
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 3);
    drop(log);
    let file = File::options().write(true).open(active(&site, 0)).expect("a file");
    file.set_len(8000).expect("a longer file");
    assert_eq!(site.log().log_end(), 6);
}

#[test]
fn a_segment_that_is_torn_takes_the_later_ones_with_it() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 60);
    drop(log);
    let bases: Vec<String> =
        names(&site).into_iter().filter(|name| name.ends_with(".log")).collect();
    let second = site.partition_path().join(&bases[1]);
    let file = File::options().write(true).open(&second).expect("a file");
    file.set_len(file.metadata().expect("metadata").len() - 1).expect("a shorter file");
    let third: i64 = bases[2][..20].parse().expect("a number");
    let log = site.log();
    assert_eq!((log.log_end(), log.segment_count()), (third - 2, 2));
    assert!(!names(&site).contains(&bases[2]));
}

#[test]
fn damage_below_the_recovery_point_is_reported_and_nothing_is_deleted() {
    let site = Site::new(LogConfig { segment_bytes: 1 << 20, ..small() });
    let mut log = site.log();
    let one = fill(&mut log, 10).len() / 10;
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    fill(&mut log, 2);
    drop(log);
    let path = active(&site, 0);
    let before = fs::read(&path).expect("a file");

    let file = File::options().write(true).open(&path).expect("a file");
    // The magic of the fourth batch.
    file.write_all_at(&[9], (one * 3 + 16) as u64).expect("a write");
    let error = site.try_log().expect_err("damage");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&path).expect("a file").len(), before.len());

    file.set_len((one * 3) as u64).expect("a shorter file");
    let error = site.try_log().expect_err("damage");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");

    fs::remove_file(&path).expect("a removal");
    let error = site.try_log().expect_err("damage");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
}

#[test]
fn a_bit_flipped_in_a_record_is_never_served() {
    let site = Site::new(small());
    let mut log = site.log();
    let one = fill(&mut log, 3).len() / 3;
    let file = File::options().write(true).open(active(&site, 0)).expect("a file");
    file.write_all_at(b"X", (one + 80) as u64).expect("a write");
    let error = log.plan_read(2, 100, 6, true).expect("a plan").read().expect_err("damage");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
    assert_eq!(log.plan_read(4, 100, 6, true).expect("a plan").read().expect("a read").len(), one);
}

#[test]
fn above_the_recovery_point_a_bit_flip_cuts_the_log() {
    let site = Site::new(small());
    let mut log = site.log();
    let one = fill(&mut log, 6).len() / 6;
    drop(log);
    let file = File::options().write(true).open(active(&site, 0)).expect("a file");
    file.write_all_at(b"X", (one * 4 + 80) as u64).expect("a write");
    assert_eq!(site.log().log_end(), 8);
}

#[test]
fn bytes_that_replace_truncated_ones_are_checked_although_the_old_ones_were_flushed() {
    let site = Site::new(LogConfig { segment_bytes: 1 << 20, ..small() });
    let mut log = site.log();
    let one = fill(&mut log, 10).len() / 10;
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    log.truncate_to(8).expect("a truncation");
    fill(&mut log, 6);
    drop(log);
    let file = File::options().write(true).open(active(&site, 0)).expect("a file");
    file.write_all_at(b"X", (one * 5 + 80) as u64).expect("a write");
    assert_eq!(site.log().log_end(), 10);
}

#[test]
fn index_files_that_are_lost_or_nonsense_are_built_again() {
    let site = Site::new(small());
    let mut log = site.log();
    let all = fill(&mut log, 60);
    site.close(log);
    for name in names(&site).into_iter().filter(|name| name.ends_with("index")).step_by(2) {
        fs::remove_file(site.partition_path().join(name)).expect("a removal");
    }
    let mut log = site.log();
    for offset in (0..120).step_by(7) {
        assert_eq!(read_all(&mut log, offset, 300), all[all.len() / 60 * (offset as usize / 2)..]);
    }
    site.close(log);
    let last = names(&site).into_iter().rfind(|name| name.ends_with(".index")).expect("an index");
    fs::write(site.partition_path().join(last), [0xff; 24]).expect("a write");
    let mut log = site.log();
    assert_eq!(log.log_end(), 120);
    assert_eq!(read_all(&mut log, 100, 300), all[all.len() / 60 * 50..]);
}

#[test]
fn epochs_are_learned_again_from_the_batches() {
    let site = Site::new(small());
    let mut log = site.log();
    for epoch in 0..20 {
        for _ in 0..4 {
            let base = log.log_end();
            log.append(&batch(base, 2, epoch * 2, 5)).expect("an append");
        }
    }
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    let epochs = log.epochs().clone();
    drop(log);
    let log = site.log();
    assert_eq!(log.epochs(), &epochs);
    drop(log);
    let path = site.partition_path().join("leader-epoch-checkpoint");
    fs::write(&path, "0\n17\n1 x\n").expect("a write");
    assert_eq!(site.log().epochs(), &epochs, "a file that makes no sense is replaced");
    let text = fs::read_to_string(&path).expect("a file");
    assert!(text.starts_with("0\n20\n0 0\n2 8\n"), "{text}");
}

#[test]
fn a_log_start_beyond_what_was_saved_begins_an_empty_log() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 5);
    log.increment_log_start(9).expect("within the log");
    log.dir().checkpoint_log_starts().expect("a checkpoint");
    drop(log);
    fs::write(active(&site, 0), b"").expect("a write");
    let log = site.log();
    assert_eq!((log.log_start(), log.log_end()), (9, 9));
}

#[test]
fn producer_snapshots_are_kept_as_long_as_the_log_reaches_them() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 30);
    for offset in [10, 40, 60] {
        log.write_producer_snapshot(offset, format!("state {offset}").as_bytes()).expect("a write");
    }
    log.flush().expect("a flush");
    log.truncate_to(50).expect("a truncation");
    drop(log);
    let mut log = site.log();
    let latest = log.latest_producer_snapshot().expect("a read");
    assert_eq!(latest, Some((40, "state 40".into())));
    log.remove_producer_snapshot(40).expect("a removal");
    let latest = log.latest_producer_snapshot().expect("a read");
    assert_eq!(latest.map(|latest| latest.0), Some(10));
}

#[test]
fn epochs_survive_two_crashes_in_a_row() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 5);
    log.increment_log_start(9).expect("within the log");
    log.dir().checkpoint_log_starts().expect("a checkpoint");
    drop(log);
    let mut log = site.log();
    assert_eq!(log.epochs().entries(), [(0, 9)]);
    fill(&mut log, 5);
    drop(log);
    assert_eq!(site.log().epochs().entries(), [(0, 9)]);
}

#[test]
fn a_raised_log_start_that_no_checkpoint_knows_is_known_by_the_epochs() {
    let site = Site::new(small());
    let mut log = site.log();
    fill(&mut log, 10);
    log.assign_epoch(1);
    let in_epoch_1 = log.log_end();
    log.append(&batch(in_epoch_1, 2, 1, 7)).expect("an append");
    log.increment_log_start(in_epoch_1).expect("within the log");
    log.assign_epoch(2);
    log.append(&batch(log.log_end(), 2, 2, 7)).expect("an append");
    // Writes the epochs, which begin at the new log start; the checkpoint of log starts is not due yet.
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    drop(log);
    let log = site.log();
    assert_eq!(log.log_start(), in_epoch_1);
    assert_eq!(log.epochs().entries().first(), Some(&(1, in_epoch_1)));
}
