//! Failover before content: whatever the first vendor does, the client gets one whole answer.

use crate::support::proxy::Plan;
use backstay::demo::vendor::Fault;
use backstay::dialect::Dialect;

#[tokio::test]
async fn an_answer_comes_through_and_says_who_gave_it() {
    for dialect in Dialect::ALL {
        let proxy = Plan::two(dialect).start().await;
        for stream in [false, true] {
            let answer = match dialect {
                Dialect::OpenaiChat => proxy.client().chat(stream).await,
                Dialect::Anthropic => proxy.client().message(stream).await,
            };
            assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
            assert_eq!(answer.said(), proxy.vendors[0].text());
            assert_eq!(answer.header("x-backstay-served-by"), "first/model-of-first");
            assert_eq!(answer.header("x-backstay-attempts"), "1");
        }
        assert_eq!(proxy.calls(), [2, 0]);
    }
}

#[tokio::test]
async fn every_fault_before_content_is_unseen() {
    for fault in Fault::before_content() {
        let proxy = Plan::two(Dialect::OpenaiChat).start().await;
        for stream in [false, true] {
            proxy.vendors[0].set_fault(fault);
            let answer = proxy.client().chat(stream).await;
            assert_eq!((answer.status, answer.clean), (200, true), "{fault} stream={stream}: {}", answer.text());
            assert_eq!(answer.said(), proxy.vendors[1].text(), "{fault} stream={stream}");
            proxy.vendors[0].heal();
        }
    }
}
