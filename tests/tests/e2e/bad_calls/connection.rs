//! Below gRPC: what is no TLS, no HTTP/2, or too much of it.

use tokio::io::AsyncWriteExt as _;

use super::wire::{Answer, INFO, fields, frame, read_all};
use super::{Kind, Scene};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub const KINDS: &[Kind] = &[
    Kind {
        what: "plain HTTP on the port of TLS",
        answer: "TLS alert",
        call: |s| s.tcp_says(b"GET / HTTP/1.1\r\n\r\n"),
    },
    Kind { what: "noise instead of a handshake", answer: "TLS alert", call: |s| s.tcp_says(&[0xa5; 300]) },
    Kind {
        what: "another preface than that of HTTP/2",
        answer: "HTTP/1.1 400",
        call: |s| s.tls_says(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
    },
    Kind { what: "noise inside TLS", answer: "HTTP/1.1 400", call: |s| s.tls_says(&[0xa5; 300]) },
    Kind {
        what: "a frame longer than allowed",
        answer: "GOAWAY FRAME_SIZE_ERROR",
        call: |s| s.frames(&[frame(DATA, 0, 1, &[0; 16_385])]),
    },
    Kind {
        what: "data on a stream that was never opened",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(DATA, 0, 1, b"x")]),
    },
    Kind {
        what: "a stream with an even number",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[headers(2, &INFO)]),
    },
    Kind {
        what: "headers that are not HPACK",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(HEADERS, END_HEADERS, 1, &[0xff; 40])]),
    },
    Kind {
        what: "CONTINUATION of nothing",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(CONTINUATION, END_HEADERS, 1, &fields(&INFO))]),
    },
    Kind {
        what: "another frame between HEADERS and CONTINUATION",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(HEADERS, 0, 1, &fields(&INFO)), frame(PING, 0, 0, &[0; 8])]),
    },
    Kind {
        what: "a header name in capitals",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.headers(&[&INFO[..], &[("X-Capital", "1")]].concat()),
    },
    Kind {
        what: "no path",
        answer: "RST_STREAM PROTOCOL_ERROR",
        call: |s| s.headers(&[&INFO[..3], &INFO[4..]].concat()),
    },
    Kind {
        what: "a pseudo-header after a header",
        answer: "RST_STREAM PROTOCOL_ERROR",
        call: |s| s.headers(&[&INFO[4..], &INFO[..4]].concat()),
    },
    Kind {
        what: "a header of the connection",
        answer: "RST_STREAM PROTOCOL_ERROR",
        call: |s| s.headers(&[&INFO[..], &[("connection", "close")]].concat()),
    },
    Kind {
        what: "te other than trailers",
        answer: "RST_STREAM PROTOCOL_ERROR",
        call: |s| s.headers(&[&INFO[..5], &[("te", "gzip")]].concat()),
    },
    Kind {
        what: "a window update by nothing",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(WINDOW_UPDATE, 0, 0, &[0; 4])]),
    },
    Kind {
        what: "a window beyond 2 GiB",
        answer: "GOAWAY FLOW_CONTROL_ERROR",
        call: |s| s.frames(&[frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])]),
    },
    Kind {
        what: "SETTINGS with an impossible window",
        answer: "GOAWAY PROTOCOL_ERROR",
        call: |s| s.frames(&[frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])]),
    },
    Kind {
        what: "a body that is not as long as its content-length",
        answer: "RST_STREAM PROTOCOL_ERROR",
        call: |s| {
            let head = headers(1, &[&INFO[..], &[("content-length", "5")]].concat());
            s.frames(&[head, frame(DATA, END_STREAM, 1, &[0; 9])])
        },
    },
    Kind {
        what: "endless CONTINUATION",
        answer: "GOAWAY ENHANCE_YOUR_CALM",
        call: |s| {
            s.run(async {
                let mut frames = s.wire.frames().await;
                frames.send(&frame(HEADERS, 0, 1, &fields(&INFO))).await;
                let more = frame(CONTINUATION, 0, 1, &fields(&[("x-more", &"a".repeat(16_000))]));
                frames.flood(2000, move |_| more.clone()).await
            })
        },
    },
    Kind {
        what: "thousands of calls that are reset at once",
        answer: "GOAWAY ENHANCE_YOUR_CALM",
        call: |s| {
            s.run(async {
                let both = |n: usize| {
                    let stream = u32::try_from(2 * n + 1).unwrap();
                    [headers(stream, &INFO), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
                };
                s.wire.frames().await.flood(20_000, both).await
            })
        },
    },
    Kind {
        what: "thousands of calls that make the server reset",
        answer: "GOAWAY ENHANCE_YOUR_CALM",
        call: |s| {
            s.run(async {
                let wrong = |n: usize| {
                    let stream = u32::try_from(2 * n + 1).unwrap();
                    headers(stream, &INFO[..3])
                };
                s.wire.frames().await.flood(20_000, wrong).await
            })
        },
    },
    Kind {
        what: "thousands of empty DATA",
        answer: "GOAWAY ENHANCE_YOUR_CALM",
        call: |s| {
            s.run(async {
                let mut frames = s.wire.frames().await;
                frames.send(&headers(1, &INFO)).await;
                frames.flood(50_000, |_| frame(DATA, 0, 1, &[])).await
            })
        },
    },
    Kind {
        what: "thousands of PING",
        answer: "goes on",
        call: |s| s.flood_then_lives(|_| frame(PING, 0, 0, &[0; 8])),
    },
    Kind {
        what: "thousands of SETTINGS",
        answer: "goes on",
        call: |s| s.flood_then_lives(|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
    },
    Kind {
        what: "more than 256 calls at once",
        answer: "RST_STREAM REFUSED_STREAM",
        call: |s| {
            s.run(async {
                let mut frames = s.wire.frames().await;
                frames.until(SETTINGS).await;
                frames.send(&frame(SETTINGS, 1, 0, &[])).await;
                for n in 0..257 {
                    frames.send(&headers(2 * n + 1, &INFO)).await;
                }
                frames.ending().await
            })
        },
    },
];

impl Scene {
    fn tcp_says(&self, bytes: &[u8]) -> Answer {
        self.run(async {
            let mut stream = self.wire.tcp().await;
            stream.write_all(bytes).await.unwrap();
            let answer = read_all(&mut stream).await;
            Answer::of(if answer.first() == Some(&21) { "TLS alert" } else { "closed" })
        })
    }

    fn tls_says(&self, bytes: &[u8]) -> Answer {
        self.run(async {
            let mut stream = self.wire.tls().await;
            stream.write_all(bytes).await.unwrap();
            let answer = read_all(&mut stream).await;
            Answer::of(String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned())
        })
    }

    fn frames(&self, all: &[Vec<u8>]) -> Answer {
        self.run(async {
            let mut frames = self.wire.frames().await;
            frames.send(&all.concat()).await;
            frames.ending().await
        })
    }

    fn headers(&self, all: &[(&str, &str)]) -> Answer {
        self.frames(&[headers(1, all)])
    }

    fn flood_then_lives(&self, frame: fn(usize) -> Vec<u8>) -> Answer {
        self.run(async {
            let mut frames = self.wire.frames().await;
            for n in 0..200 {
                frames.send(&frame(n).repeat(100)).await;
                // Reads between, as its own window of TCP would stop it otherwise.
                if frames.lives().await.text != "goes on" {
                    break;
                }
            }
            frames.lives().await
        })
    }
}

fn headers(stream: u32, all: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &fields(all))
}
