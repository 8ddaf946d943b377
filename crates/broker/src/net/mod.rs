//! Sockets: listeners, connections, frames. Knows how requests are ordered, not what they mean.

pub(crate) mod connection;
pub(crate) mod connection_counts;
mod input;
pub(crate) mod listener;
mod output;

#[cfg(test)]
mod tests;
