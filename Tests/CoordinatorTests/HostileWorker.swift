import Coordinator
import Protocol
import TestSupport

// What tests of lying and slow peers have in common.

func refusal(_ message: Message) -> RefusalCode? {
    if case .refusal(let refusal) = message { refusal.code } else { nil }
}

/// A training of one replica, with 9 iterations.
func submit(_ client: CoordinatorClient, _ key: String) throws -> BlobReference {
    let input = try client.upload(bytes: Array("patient \(key)".utf8), role: "volume", name: key)
    _ = try client.submit(Submission(
        plan: .training(9), recipe: "fake", parameters: "{}", seed: 1, replicaCount: 1,
        checkpointSeconds: 60, inputs: [input], itemManifest: nil, idempotencyKey: key))
    return input
}

/// A worker that has its first lease.
func leased(_ server: RunningServer, _ name: String) throws -> (FakeWorker, Assignment) {
    let worker = try FakeWorker(server, name: name)
    try worker.idle()
    return (worker, try worker.nextAssignment())
}
