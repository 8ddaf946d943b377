//! Deliberate breakages of the drivers, to show that the invariants bite.

/// What the simulated shells do wrong. The machines themselves stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A follower does not cut its log where its leader says that they diverge.
    IgnoreDiverging,
    /// A follower keeps to itself what epoch its last record has.
    HideLastEpoch,
    /// A follower cuts its log at its high watermark before it follows another leader.
    TruncateToHighWatermark,
    /// A leader takes its ISR proposals for refused while they are under way: only the committed ISR
    /// counts.
    ForgetPending,
    /// A leader applies an ISR as soon as the answer says taken, before the feed brings it.
    ApplyFromAnswer,
    /// A broker claims that it stopped cleanly, whatever happened.
    UncleanAsClean,
    /// A flush is reported before it is done.
    LieAboutFlushes,
    /// What an earlier stream or leader sent is appended all the same.
    TakeStaleData,
    /// Producers are not read again from a log that was cut.
    KeepCutProducers,
    /// Nobody heeds in which registration a broker speaks, or is spoken of.
    ForgetBrokerEpochs,
    /// A restarted broker trusts the image it had before, which may name it a leader still.
    TrustOldImage,
    /// Records are compacted that are not committed yet.
    CompactAboveHighWatermark,
    /// Compaction leaves nothing of the first batch of a leader epoch.
    ForgetEpochHeads,
}
