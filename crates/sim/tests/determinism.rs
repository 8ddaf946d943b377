//! The simulation itself: a seed decides on everything.

use ottla_sim::Run;

#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    for seed in [7, 8, 9] {
        let (first, once) = Run { trace: true, ..Run::of(seed) }.go_with_trace();
        let (second, again) = Run { trace: true, ..Run::of(seed) }.go_with_trace();
        assert_eq!(first, second);
        let differs = once.iter().zip(&again).position(|(left, right)| left != right);
        assert_eq!(differs, None, "the traces of seed {seed} differ");
        assert_eq!(once.len(), again.len());
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let trace = |seed| Run { trace: true, ..Run::of(seed) }.go_with_trace().1;
    assert_ne!(trace(7), trace(8));
}
