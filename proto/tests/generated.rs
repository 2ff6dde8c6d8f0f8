//! The committed code is what the `.proto` files generate.

#[path = "support/codegen.rs"]
mod codegen;

use std::fs;

#[test]
fn committed_code_equals_generated_code() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    codegen::generate(scratch.path()).expect("the protos compile");
    for package in &codegen::PACKAGES {
        for entry in fs::read_dir(scratch.path().join(package.out)).expect("generated files") {
            let entry = entry.expect("a generated file");
            let committed = codegen::workspace_root().join(package.out).join(entry.file_name());
            let same = fs::read(&committed).ok() == fs::read(entry.path()).ok();
            assert!(
                same,
                "{} is stale: run `cargo run -p postfach-proto --example generate`",
                committed.display()
            );
        }
    }
}
