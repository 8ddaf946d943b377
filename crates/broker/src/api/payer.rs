//! Who pays for a request: its client's quotas, and the connection that is muted when they are used up.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ottla_metadata::Refusal;
use ottla_metadata::quota::QuotaKey;
use ottla_protocol::ErrorCode;

use super::Context;
use crate::quota::{Client, Mutations, Mute, Quotas};

/// There is one only while any quota is set.
#[derive(Clone)]
pub(super) struct Payer {
    pub(super) quotas: Arc<Quotas>,
    pub(super) client: Client,
    pub(super) mute: Mute,
}

impl Payer {
    /// Pays for produced bytes and the time they took; the client's throttle time.
    pub(super) fn produced(&self, bytes: usize, begun: Option<Instant>) -> i32 {
        let key = QuotaKey::ProducerByteRate;
        let of_bytes = self.quotas.record(key, &self.client, bytes as f64);
        let of_time = begun.map_or(Duration::ZERO, |begun| self.time(begun.elapsed()));
        self.muted(of_bytes.max(of_time))
    }

    /// The most bytes to read at once.
    pub(super) fn most_fetched(&self) -> Option<usize> {
        // Saturates.
        self.quotas.most(QuotaKey::ConsumerByteRate, &self.client).map(|most| most as usize)
    }

    /// Pays for fetched bytes and the time they took; the client's throttle time. (Kafka holds them back
    /// instead, and is asked for them again: its clients get less than their quotas by that.)
    pub(super) fn fetched(&self, bytes: usize, spent: Duration) -> i32 {
        let key = QuotaKey::ConsumerByteRate;
        let of_bytes = self.quotas.record(key, &self.client, bytes as f64);
        self.muted(of_bytes.max(self.time(spent)))
    }

    /// Pays for a request of another kind.
    pub(super) fn answered(&self, spent: Duration) -> i32 {
        self.muted(self.time(spent))
    }

    fn time(&self, spent: Duration) -> Duration {
        let percent = spent.as_secs_f64() * 100.0;
        self.quotas.record(QuotaKey::RequestPercentage, &self.client, percent)
    }

    /// Mutes the connection.
    fn muted(&self, throttle: Duration) -> i32 {
        self.mute.extend(throttle);
        i32::try_from(throttle.as_millis()).unwrap_or(i32::MAX)
    }
}

/// Completes as `answer` does, and tells how long the thread was at it.
pub(super) async fn timed<F: Future>(answer: F) -> (F::Output, Duration) {
    let mut answer = pin!(answer);
    let mut spent = Duration::ZERO;
    std::future::poll_fn(|cx| {
        let begun = Instant::now();
        let polled = answer.as_mut().poll(cx);
        spent += begun.elapsed();
        match polled {
            Poll::Ready(output) => Poll::Ready((output, spent)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// One request's permits for creating and deleting partitions (KIP-599).
pub(super) struct Charge<'a> {
    mutations: Option<(Mutations<'a>, &'a Payer)>,
    /// The client understands that it is to come back later.
    strict: bool,
    throttle: Duration,
}

impl<'a> Charge<'a> {
    pub(super) fn new(context: &'a Context, strict_since: i16) -> Self {
        let payer = context.payer.as_ref();
        let mutations = payer.and_then(|payer| {
            payer.quotas.mutations(&payer.client).map(|mutations| (mutations, payer))
        });
        Self { mutations, strict: context.version >= strict_since, throttle: Duration::ZERO }
    }

    /// Takes permits for one topic.
    pub(super) fn take(&mut self, permits: usize) -> Result<(), Refusal> {
        let Some((mutations, _)) = &self.mutations else { return Ok(()) };
        if !self.strict {
            self.throttle = self.throttle.max(mutations.take_anyway(permits));
            return Ok(());
        }
        mutations.take(permits).map_err(|throttle| {
            self.throttle = self.throttle.max(throttle);
            Refusal::plain(ErrorCode::ThrottlingQuotaExceeded)
        })
    }

    /// Gives permits back for a topic that has not changed.
    pub(super) fn give_back(&self, permits: usize) {
        if let Some((mutations, _)) = &self.mutations {
            mutations.give_back(permits);
        }
    }

    /// Mutes the connection if need be; the throttle time for the answer.
    pub(super) fn settle(&self) -> i32 {
        self.mutations.as_ref().map_or(0, |(_, payer)| payer.muted(self.throttle))
    }
}
