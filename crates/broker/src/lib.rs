//! The broker: Kafka listeners, one file per API, partition owners, replica streams.

pub mod partition;
