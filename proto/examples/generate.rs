//! Writes all generated protobuf code into the source tree: `cargo run -p postfach-proto --example generate`.

#[path = "../tests/support/codegen.rs"]
mod codegen;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    codegen::generate(&codegen::workspace_root())
}
