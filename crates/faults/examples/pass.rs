//! Passes one point three times and says so.

#![allow(clippy::print_stdout, reason = "its output is what is looked at")]

fn main() {
    for _ in 0..3 {
        countersign_faults::crash_point(countersign_faults::Point::CallMade);
        println!("passed");
    }
}
