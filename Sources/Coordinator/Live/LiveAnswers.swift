import Foundation
import Platform
import Protocol

/// The live page's lists, a page of each at a time, as JSON.
struct LiveAnswers: Sendable {
    let desk: LiveDesk
    let reader: LiveReader

    /// What is asked for with a request.
    static let query = ["run", "offset", "search", "state", "sort", "what", "have"]
    private static let rowsMax = 25
    private static let searchBytesMax = 200

    struct Unanswered: Error {
        var status: UInt32
        var why: String
    }

    private func status() throws -> StatusReport {
        guard let status = desk.look() else { throw Unanswered(status: 503, why: "the coordinator decides nothing") }
        return status
    }

    private func run(_ request: HTTPRequest) throws -> RunID {
        guard let run = request.query["run"].flatMap({ UInt64($0) }) else {
            throw Unanswered(status: 400, why: "which run?")
        }
        return RunID(run)
    }

    private func offset(_ request: HTTPRequest) -> Int {
        min(max(0, request.query["offset"].flatMap { Int($0) } ?? 0), 100_000_000)
    }

    private func search(_ request: HTTPRequest) throws -> String? {
        guard let text = request.query["search"], !text.isEmpty else { return nil }
        guard text.utf8.count <= Self.searchBytesMax else {
            throw Unanswered(status: 400, why: "at most \(Self.searchBytesMax) bytes are searched for")
        }
        return text
    }

    // MARK: - Workers

    struct Workers: Encodable {
        /// All that there are, and those that fit what is searched for.
        var total: Int
        var matching: Int
        var offset: Int
        var rows: [StatusReport.Worker]
    }

    func workers(_ request: HTTPRequest) throws -> Workers {
        let all = try status().workers
        let text = try search(request)?.lowercased()
        var found = all.filter { worker in
            guard let text else { return true }
            return [worker.name, worker.work?.name ?? "", worker.device, worker.build].contains {
                $0.lowercased().contains(text)
            }
        }
        if let state = request.query["state"], !state.isEmpty { found.removeAll { $0.liveState != state } }
        switch request.query["sort"] {
        case "here": found.sort { ($0.hereSeconds ?? 0, $0.name) > ($1.hereSeconds ?? 0, $1.name) }
        case "slow": found.sort { ($0.slowness ?? 0, $1.name) > ($1.slowness ?? 0, $0.name) }
        case "long": found.sort { ($0.work?.seconds ?? -1, $1.name) > ($1.work?.seconds ?? -1, $0.name) }
        default: found.sort { $0.name < $1.name }
        }
        let first = min(offset(request), found.count)
        return Workers(
            total: all.count, matching: found.count, offset: first,
            rows: Array(found[first...].prefix(Self.rowsMax)))
    }

    // MARK: - A training

    struct Training: Encodable {
        struct Curve: Encodable {
            var step: String
            var replica: Int
            /// Iterations that a point is the mean of.
            var width: UInt32
            /// By figure: iteration, mean, iteration, mean, ...
            var figures: [String: [Double]]
        }

        var replicas: [StatusReport.Replica]
        /// Absent where they are what the asker has already.
        var curves: [Curve]?
        /// What to say next time.
        var have: String
        /// They are not all read yet: ask again soon.
        var more = false
    }

    func training(_ request: HTTPRequest) throws -> Training {
        let id = try run(request)
        guard let run = try status().runs.first(where: { $0.id == id.value }) ?? reader.run(id) else {
            throw Unanswered(status: 404, why: "there is no \(id)")
        }
        let replicas = run.replicas ?? []
        var curves: [Training.Curve] = [], more = false, iterations: [String] = []
        for replica in replicas {
            let (curve, follow) = try reader.curve(id, step: replica.step, replica: replica.replica)
            more = more || follow
            iterations.append("\(curve.lastIteration)")
            curves.append(Training.Curve(replica, curve))
        }
        let have = "\(id.value):" + iterations.joined(separator: ".")
        let isKnown = request.query["have"] == have
        return Training(replicas: replicas, curves: isKnown ? nil : curves, have: have, more: more)
    }

    // MARK: - What has ended, and moves

    struct Pieces: Encodable {
        struct Row: Encodable {
            var piece: Store.EndedPiece
            /// What can be read out of the report: name, value, name, value, ...
            var figures: [String]
        }

        var offset: Int
        var rows: [Row]
        var more: Bool
    }

    func pieces(_ request: HTTPRequest) throws -> Pieces {
        let isRefused = request.query["what"] == "refused", first = offset(request)
        var found = try reader.endedPieces(
            of: try run(request), refused: isRefused, named: try search(request), offset: first,
            countMax: Self.rowsMax + 1)
        let more = found.count > Self.rowsMax
        if more { found.removeLast() }
        return Pieces(
            offset: first,
            rows: found.map { piece in
                var piece = piece
                let figures = isRefused ? [] : LiveFigures.read(piece.report)
                piece.report = isRefused ? piece.report.cut(toBytes: 600) : ""
                return Pieces.Row(piece: piece, figures: figures)
            }, more: more)
    }

    func moves(_ request: HTTPRequest) throws -> [LiveMoves.Replica] { try reader.moves(of: try run(request)) }
}

extension LiveAnswers.Training.Curve {
    fileprivate init(_ replica: StatusReport.Replica, _ curve: LiveCurve) {
        (step, self.replica, width) = (replica.step, replica.replica, curve.width)
        figures = Dictionary(uniqueKeysWithValues: curve.names.map { name in
            (name, curve.points(name).flatMap { [Double($0.iteration), LiveSummary.rounded($0.mean, digits: 5)] })
        })
    }
}

extension StatusReport.Worker {
    /// In the page's words.
    var liveState: String {
        guard isConnected else { return "gone" }
        if isLeaving { return "leaving" }
        return work == nil ? "idle" : "computing"
    }
}

/// The few numbers and words of a result's report that people look at, whatever recipe it is of.
enum LiveFigures {
    private static let countMax = 6
    private static let textBytesMax = 48

    /// - Returns: name, value, name, value; empty where it is no JSON object.
    static func read(_ report: String) -> [String] {
        guard report.utf8.count <= Limits.reportBytesMax,
            let object = try? JSONSerialization.jsonObject(with: Data(report.utf8)) as? [String: Any]
        else { return [] }
        var found: [String] = []
        collect(object, depth: 0, &found)
        return found
    }

    private static let depthMax = 3

    /// Whatever the numbers are filed under.
    private static func collect(_ object: [String: Any], depth: Int, _ found: inout [String]) {
        for (name, value) in object.sorted(by: { $0.key < $1.key }) where found.count < 2 * countMax {
            if let text = text(value) {
                found += [name.cut(toBytes: textBytesMax), text]
            } else if let inner = value as? [String: Any], depth < depthMax {
                collect(inner, depth: depth + 1, &found)
            }
        }
    }

    private static func text(_ value: Any) -> String? {
        switch value {
        case let number as NSNumber:
            return "\(LiveSummary.rounded(number.doubleValue, digits: 4))".replacingOccurrences(
                of: ".0", with: "", options: [.anchored, .backwards])
        default: return nil
        }
    }
}
