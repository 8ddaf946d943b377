//! Topics that a regular expression stands for.
