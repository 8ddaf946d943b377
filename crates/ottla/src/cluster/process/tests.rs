use super::*;

#[test]
fn stat_is_read_behind_a_name_with_blanks_and_parentheses() {
    let text = "42 (a (b) c) T 1 42 42 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 777 1 2 3";
    let stat = Stat::parse(text).expect("parses");
    assert_eq!((stat.state, stat.started), ('T', 777));
}

#[test]
fn a_process_is_followed_from_start_to_end() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (log, pid_file) = (dir.path().join("log"), dir.path().join("pid"));
    let (process, mut child) =
        Process::spawn(Command::new("sleep").arg("60"), &log, &pid_file).expect("spawns");
    assert_eq!(Process::from_pid_file(&pid_file), Some(process));
    process.signal(Signal::STOP).expect("stops");
    let deadline = Instant::now() + Duration::from_secs(5);
    while process.state() != State::Paused {
        assert!(Instant::now() < deadline, "never paused");
        thread::yield_now();
    }
    process.signal(Signal::KILL).expect("kills");
    assert!(process.wait_until_gone(Duration::from_secs(5)), "a zombie counts as gone");
    assert_eq!(Process::from_pid_file(&pid_file), None);
    child.wait().expect("reaped");
}

#[test]
fn a_reused_number_is_not_taken_for_the_process() {
    let dir = tempfile::tempdir().expect("tempdir");
    let pid_file = dir.path().join("pid");
    fs::write(&pid_file, format!("{} 1\n", std::process::id())).expect("written");
    assert_eq!(Process::from_pid_file(&pid_file), None);
}
