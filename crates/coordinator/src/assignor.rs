//! Who gets which partition: the server-side assignors.
