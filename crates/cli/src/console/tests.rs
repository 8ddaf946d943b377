use super::*;

#[test]
fn log_times_are_dates_of_the_calendar() {
    assert_eq!(timestamp(0), "1970-01-01 00:00:00,000");
    assert_eq!(timestamp(951_782_399_999), "2000-02-28 23:59:59,999");
    assert_eq!(timestamp(951_782_400_000), "2000-02-29 00:00:00,000");
    assert_eq!(timestamp(1_795_255_288_062), "2026-11-21 10:01:28,062");
}
