//! Compiles the `.proto` files without `protoc` and writes the Rust code of the three packages.

use std::error::Error;
use std::path::{Path, PathBuf};

/// One generated package: its proto folder, the folder its code goes to, and whether it has services.
pub struct Package {
    pub protos: &'static str,
    pub out: &'static str,
    services: bool,
    /// Messages that hold a secret or a letter's words: their `Debug` is written by hand.
    secret: &'static [&'static str],
}

/// Every package, in the order of dependency.
pub const PACKAGES: [Package; 3] = [
    Package { protos: "postfach/format/v1", out: "crates/domain/src/gen", services: false, secret: &[] },
    Package {
        protos: "postfach/sealed/v1",
        out: "crates/envelope/src/gen",
        services: false,
        secret: &[
            ".postfach.sealed.v1.Cover",
            ".postfach.sealed.v1.Letter",
            ".postfach.sealed.v1.LetterAttachment",
        ],
    },
    Package { protos: "postfach/v1", out: "proto/src/gen", services: true, secret: &[] },
];

/// The checkout this crate stands in.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Generates every package into `root`, whose layout is that of the workspace.
pub fn generate(root: &Path) -> Result<(), Box<dyn Error>> {
    let include = workspace_root().join("proto");
    for package in &PACKAGES {
        let out = root.join(package.out);
        std::fs::create_dir_all(&out)?;
        let mut files: Vec<PathBuf> = std::fs::read_dir(include.join(package.protos))?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        let mut compiler = protox::Compiler::new([&include])?;
        compiler.include_imports(true).include_source_info(true).open_files(&files)?;
        let mut builder = tonic_prost_build::configure()
            .build_server(package.services)
            .build_client(package.services)
            .build_transport(false)
            .emit_rerun_if_changed(false)
            .skip_debug(package.secret)
            .out_dir(&out);
        if package.services {
            builder = builder
                .codec_path("crate::codec::DenseCodec")
                .extern_path(".postfach.format.v1", "::postfach_domain::format")
                .bytes(".postfach.v1.Submission")
                .bytes(".postfach.v1.SyncItem")
                .bytes(".postfach.v1.HandOverResponse")
                .bytes(".postfach.v1.WriteSegmentRequest.data")
                .bytes(".postfach.v1.ReadSegmentsResponse.data")
                .file_descriptor_set_path(out.join("descriptor.bin"));
            std::fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
        }
        builder.compile_fds(compiler.file_descriptor_set())?;
    }
    Ok(())
}
