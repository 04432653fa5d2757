//! `doorward check`: every file, every mistake, and what is in effect.
