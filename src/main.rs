//! The `gatewayctl` program: everything is in the library.

mod allocator;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> std::process::ExitCode {
    gatewayctl::cli::main()
}
