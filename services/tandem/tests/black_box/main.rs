//! The programs from outside: `tandem` and the three services' own, as a terminal, a shell script or a supervisor
//! starts them. Nothing here looks inside.
#![expect(clippy::expect_used, clippy::panic, reason = "a test without its program has nothing better to do than fail")]

mod all_in_one;
mod demo;
mod handbook;
mod program;
mod terminal;
mod three_processes;
mod tools;
