//! Guards of the repository: structure and vocabulary of the code, examples and links of the documents.

mod architecture;
mod deployment_examples;
mod documentation;
mod error_types;
mod time;
mod vocabulary;
mod waiting;
