//! Controller proposals: protobuf to and from the typed forms of `ottla-metadata`.
