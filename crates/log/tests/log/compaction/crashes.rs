//! A crash in the middle of a cleaning.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use ottla_log::LogConfig;

use super::{DAY_MS, LIMITS, clean, compacted, contents, put, records};
use crate::support::Site;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn renames(dir: &Path, suffix: &str, to: &str, bases: &[i64]) -> Vec<(String, String)> {
    let mut list = Vec::new();
    for base in bases {
        for extension in ["index", "timeindex", "log"] {
            let from = format!("{base:020}.{extension}{suffix}");
            if dir.join(&from).exists() {
                list.push((from, format!("{base:020}.{extension}{to}")));
            }
        }
    }
    list
}

#[test]
fn a_crash_at_any_step_of_a_swap_leaves_the_old_or_the_new() {
    let site = Site::new(LogConfig { segment_bytes: 10_000, ..compacted() });
    let mut log = site.log();
    for number in 0..9 {
        put(&mut log, 0, &[("a", Some(&number.to_string())), ("b", Some("x"))]);
        if number % 2 == 1 {
            log.roll().expect("a roll");
        }
    }
    log.flush().expect("a flush");
    log.dir().checkpoint_recovery_points().expect("a checkpoint");
    let old = contents(&mut log);
    let end = log.log_end();
    let plan = log.plan_cleaning(DAY_MS, end, HashSet::new()).expect("a plan").expect("dirt");
    let mut cleaning = plan.index(&LIMITS, &mut |_| true).expect("an index");
    let segment = cleaning.next_segment(&mut |_| true).expect("one").expect("a change");

    // Each state: a copy of the files, and how many renames were done when the crash came.
    let mut crashed = Vec::new();
    let mut crash_during = |list: Vec<(String, String)>, may_be_old: bool| {
        for done in 0..=list.len() {
            let later = Site::new(site.config);
            copy(site.temp.path(), later.temp.path());
            for (from, to) in &list[..done] {
                let dir = later.partition_path();
                fs::rename(dir.join(from), dir.join(to)).expect("a rename");
            }
            crashed.push((later, may_be_old && done < list.len()));
        }
    };
    let dir = site.partition_path();
    crash_during(renames(&dir, ".cleaned", ".swap", &[0]), true);
    log.begin_swap(&segment).expect("a swap begins");
    let old_files = renames(&dir, "", ".deleted", &[0, 4, 8, 12]);
    assert_eq!(old_files.len(), 12);
    crash_during([old_files, renames(&dir, ".swap", "", &[0])].concat(), false);
    let retired = log.finish_swap(&segment).expect("a swap ends");
    assert_eq!(retired.len(), 4);
    let new = contents(&mut log);
    assert_eq!(new, "14:a=7 15:b=x 16:a=8 17:b=x");
    assert_ne!(old, new);
    crash_during(Vec::new(), false);

    for (number, (later, may_be_old)) in crashed.into_iter().enumerate() {
        for again in [false, true] {
            let mut log = later.log();
            let found = contents(&mut log);
            assert!(found == new || may_be_old && found == old, "state {number}: {found}");
            assert_eq!(log.log_end(), 18);
            for timestamp in 990..1030 {
                let search = log.plan_timestamp_search(timestamp).expect("a plan");
                let searched = search.run().expect("a search").map(|it| it.offset);
                let all = records(&mut log);
                let first = all.iter().find(|record| record.timestamp >= timestamp);
                assert_eq!(searched, first.map(|record| record.offset), "at {timestamp}");
            }
            let left: Vec<_> = fs::read_dir(later.partition_path())
                .expect("a directory")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8"))
                .filter(|name| {
                    [".cleaned", ".swap", ".deleted"].iter().any(|it| name.ends_with(it))
                })
                .collect();
            assert_eq!(left, Vec::<String>::new(), "state {number}, again: {again}");
            if again {
                put(&mut log, 0, &[("c", Some("1"))]);
                log.roll().expect("a roll");
                assert!(clean(&mut log, DAY_MS));
                assert_eq!(contents(&mut log), "16:a=8 17:b=x 18:c=1");
            }
        }
    }
}

#[test]
fn a_crash_while_it_is_written_leaves_no_trace() {
    let site = Site::new(compacted());
    let mut log = site.log();
    for number in 0..3 {
        put(&mut log, 0, &[("a", Some(&number.to_string()))]);
    }
    log.roll().expect("a roll");
    let before = contents(&mut log);
    let names = crate::support::names(&site);
    let end = log.log_end();
    for stop_after in 0..12 {
        let mut left = stop_after;
        let mut pace = |_| {
            left -= 1;
            left >= 0
        };
        let plan = log.plan_cleaning(DAY_MS, end, HashSet::new()).expect("a plan").expect("dirt");
        if let Ok(mut cleaning) = plan.index(&LIMITS, &mut pace)
            && let Ok(Some(_)) = cleaning.next_segment(&mut pace)
        {
            break;
        }
        assert_eq!(crate::support::names(&site), names, "what is given up is removed");
    }
    assert_eq!(contents(&mut log), before);
    drop(log);
    assert_eq!(contents(&mut site.log()), before);
}
