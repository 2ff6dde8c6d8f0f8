//! Requests of HTTP that are no calls of gRPC, or go elsewhere.

use http::Method;
use postfach_proto::v1;

use super::wire::{Answer, Call};
use super::{Kind, Scene, token_of};

pub const KINDS: &[Kind] = &[
    Kind {
        what: "GET of a method",
        answer: "404",
        call: |s| s.call(info().method(Method::GET).without("content-type")),
    },
    Kind { what: "GET of a method as gRPC", answer: "405", call: |s| s.call(info().method(Method::GET)) },
    Kind { what: "PUT of a method", answer: "405", call: |s| s.call(info().method(Method::PUT)) },
    Kind { what: "DELETE of a method", answer: "405", call: |s| s.call(info().method(Method::DELETE)) },
    Kind {
        what: "an unknown verb",
        answer: "405",
        call: |s| s.call(info().method(Method::from_bytes(b"FROB").unwrap())),
    },
    Kind { what: "CONNECT", answer: "405", call: |s| s.call(info().method(Method::CONNECT)) },
    Kind { what: "no content-type", answer: "404", call: |s| s.call(info().without("content-type")) },
    Kind {
        what: "content-type of a page",
        answer: "404",
        call: |s| s.call(info().header("content-type", "text/html")),
    },
    Kind {
        what: "content-type of a gRPC that is not spoken",
        answer: "415",
        call: |s| s.call(info().header("content-type", "application/grpc+json")),
    },
    Kind { what: "no te", answer: "Ok", call: |s| s.call(info().without("te")) },
    Kind {
        what: "a method that does not exist",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| s.call(info().path("/postfach.v1.InfoService/Nothing")),
    },
    Kind {
        what: "a service that does not exist",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| s.call(info().path("/postfach.v2.InfoService/GetServerInfo")),
    },
    Kind {
        what: "a service by another spelling",
        answer: "Unauthenticated TOKEN_MISSING",
        call: |s| s.call(info().path("/postfach.v1.infoservice/GetServerInfo")),
    },
    Kind {
        what: "a method behind another path",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| s.call(info().path("/x/../postfach.v1.InfoService/GetServerInfo")),
    },
    Kind {
        what: "a method of the operator's socket",
        answer: "Unauthenticated TOKEN_MISSING",
        call: |s| s.call(Call::to("AdminService/GetStatus", &v1::GetStatusRequest {})),
    },
    Kind {
        what: "a method of the operator's socket with a good token",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| {
            let call = Call::to("AdminService/GetStatus", &v1::GetStatusRequest {});
            s.call(call.token(&token_of(s.sender())))
        },
    },
    Kind {
        what: "headers of more than 16 KiB",
        answer: "431",
        call: |s| s.call(info().header("x-long", &"a".repeat(17_000))),
    },
    Kind {
        what: "hundreds of small headers of more than 16 KiB",
        answer: "431",
        call: |s| s.call((0..450).fold(info(), |call, _| call.also("x-small", "1"))),
    },
    Kind {
        what: "a path of more than 16 KiB",
        answer: "431",
        call: |s| s.call(info().path(&format!("/{}", "a".repeat(17_000)))),
    },
    Kind { what: "a tile by ..", answer: "404", call: |s| s.gets("/log/keys/tile/0/../../../../etc/passwd") },
    Kind {
        what: "a tile by %2e%2e",
        answer: "404",
        call: |s| s.gets("/log/keys/tile/%2e%2e/%2e%2e/log.key"),
    },
    Kind { what: "a tile by %252e", answer: "404", call: |s| s.gets("/log/keys/tile/%252e%252e/log.key") },
    Kind { what: "a tile with NUL", answer: "404", call: |s| s.gets("/log/keys/checkpoint%00") },
    Kind {
        what: "a tile in overlong UTF-8",
        answer: "400",
        call: |s| s.gets("/log/keys/%c0%ae%c0%ae/checkpoint"),
    },
    Kind { what: "a tile of another log", answer: "404", call: |s| s.gets("/log/%2e%2e/checkpoint") },
    Kind {
        what: "a tile beyond the tree",
        answer: "404",
        call: |s| s.gets("/log/keys/tile/0/x999/x999/999"),
    },
    Kind { what: "a tile of level 64", answer: "404", call: |s| s.gets("/log/keys/tile/64/000") },
    Kind {
        what: "a tile number of a hundred parts",
        answer: "404",
        call: |s| s.gets(&format!("/log/keys/tile/0/{}000", "x999/".repeat(100))),
    },
    Kind {
        what: "POST of a tile",
        answer: "405",
        call: |s| s.call(tile("/log/keys/checkpoint").method(Method::POST)),
    },
    Kind {
        what: "a call in HTTP/1.1",
        answer: "400",
        call: |s| s.posts("application/grpc", "Content-Length: 5\r\n"),
    },
    Kind {
        what: "a page in HTTP/1.1",
        answer: "404",
        call: |s| s.posts("text/html", "Content-Length: 5\r\n"),
    },
    Kind {
        what: "two lengths in HTTP/1.1",
        answer: "400",
        call: |s| s.posts("application/grpc-web+proto", "Content-Length: 5\r\nContent-Length: 6\r\n"),
    },
    Kind {
        what: "a length, and chunks that are none, in HTTP/1.1",
        answer: "200 grpc-status 3",
        call: |s| {
            s.posts("application/grpc-web+proto", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")
        },
    },
    Kind {
        what: "an unknown transfer coding in HTTP/1.1",
        answer: "400",
        call: |s| s.posts("application/grpc-web+proto", "Transfer-Encoding: chunked, gzip\r\n"),
    },
    Kind {
        what: "half a megabyte of header in HTTP/1.1",
        answer: "431",
        call: |s| s.posts("text/html", &format!("X-Long: {}\r\n", "a".repeat(512 * 1024))),
    },
    Kind {
        what: "thousands of headers in HTTP/1.1",
        answer: "431",
        call: |s| s.posts("text/html", &"X-Small: 1\r\n".repeat(5000)),
    },
    Kind {
        what: "a request line that is none",
        answer: "400",
        call: |s| s.run(s.wire.http1("HELLO\r\n\r\n")),
    },
];

fn info() -> Call {
    Call::to("InfoService/GetServerInfo", &v1::GetServerInfoRequest {})
}

fn tile(path: &str) -> Call {
    Call::with_body("", "").path(path).without("content-type").without("te").method(Method::GET)
}

impl Scene {
    fn gets(&self, path: &str) -> Answer {
        let answer = self.call(tile(path));
        let old = self
            .run(self.wire.http1(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
        assert_eq!(answer.text, old.text, "{path}: both protocols answer alike");
        answer
    }

    fn posts(&self, content_type: &str, lines: &str) -> Answer {
        let head = format!(
            "POST /postfach.v1.InfoService/GetServerInfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: {content_type}\r\n{lines}\r\n\0\0\0\0\0"
        );
        self.run(self.wire.http1(&head))
    }
}
