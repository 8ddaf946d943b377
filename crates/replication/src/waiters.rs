//! Who waits for the high watermark or the low one, by offset.

use std::collections::VecDeque;

use ottla_protocol::ids::Offset;

use crate::input::Token;

/// Tokens ordered by the offset they wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Waiters {
    queue: VecDeque<(Offset, Token)>,
}

impl Waiters {
    /// `token` waits until the high watermark is at least `offset`. Appends come in order; only a
    /// duplicate may wait for an earlier offset than the last one.
    pub(crate) fn add(&mut self, offset: Offset, token: Token) {
        let at = self.queue.partition_point(|(other, _)| *other <= offset);
        self.queue.insert(at, (offset, token));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next token that a high watermark satisfies.
    pub(crate) fn pop_reached(&mut self, high_watermark: Offset) -> Option<Token> {
        let (offset, token) = *self.queue.front()?;
        (offset <= high_watermark).then(|| {
            self.queue.pop_front();
            token
        })
    }

    /// The next token, whatever it waits for.
    pub(crate) fn pop(&mut self) -> Option<Token> {
        self.queue.pop_front().map(|(_, token)| token)
    }
}
