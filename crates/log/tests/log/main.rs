//! Tests of the log through its public face, on real files.

mod compaction;
mod directory;
mod flush;
mod future;
mod kafka;
mod model;
mod recovery;
mod retention;
mod search;
mod segments;
mod support;
