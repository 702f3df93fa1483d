import Coordinator
import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes

// What is known of one CT, and what has to be read of it.

extension ArchiveStream {
    /// A file of the archive, by its content.
    private struct Known {
        var digest: String
        var byteCount: UInt64
        var memoryByteCount: UInt64
        /// nil: it lies as it is sent; else the bytes of several files as one.
        var joined: [UInt8]?
    }

    /// - Throws: `ImageFileError`, `Archive.Refusal`: why the CT cannot be taken.
    func standing(of item: Archive.Item) throws -> ItemStanding {
        do {
            return try look(at: item)
        } catch let error as FileError where error.path == item.path {
            // A disk's error costs this CT, not the others.
            throw Archive.Refusal("\(error); get the file again from its source")
        } catch ClientError.damaged {
            throw Archive.Refusal("\(item.path) changed while it was sent; say the same command again")
        } catch ClientError.refused(let refusal) where refusal.code == .damaged || refusal.code == .malformed {
            throw Archive.Refusal("\(item.path) changed while it was sent; say the same command again")
        }
    }

    private func look(at item: Archive.Item) throws -> ItemStanding {
        // Of what was there when the command began nobody's file is in the way.
        if plan.options.isWatching { try refuseInTheWay(item) }
        // The mask first: when it is missing, nothing of the CT has to be read.
        let mask = try plan.inputs.masks?.mask(for: item)
        let row = journal.rows[item.name]
        if let row, let content = row.content, content == plan.content(ct: content.ct, mask: content.mask),
            isUnchanged(item, content.ct),
            try mask.map({ try isUnchanged($0, content.mask) }) ?? (content.mask == nil)
        {
            if let refused = row.refused {
                guard plan.options.retriesRefused || row.build != Version.build else {
                    progress.warn("refused: \(refused)")
                    return .refusedBefore
                }
            } else if try isWhole(row) {
                return .done
            }
        }
        let knownMask = try mask.map { try read($0, isMask: true) }
        let ct = try item.series.map { try read($0, item) } ?? read(item.path, isMask: false)
        let content = plan.content(ct: ct.digest, mask: knownMask?.digest)
        if let other = otherCT(than: item, content) { return .otherCT(other) }
        if let answer = journal.answer(to: content), try isWhole(answer) {
            return answer.name == item.name && answer.source == item.path ? .done : .known(answer, mask: mask)
        }
        if inFlight.values.contains(where: { $0.name == item.name && $0.content == content }) { return .inFlight }
        if inFlight.values.contains(where: { $0.content == content }) { return .twin(content, mask: mask) }
        return try submission(item, mask, ct, knownMask, content)
    }

    private func refuseInTheWay(_ item: Archive.Item) throws {
        if SegmentationFolder(plan.output.path, plan.guide).isReserved(item.name) {
            throw Archive.Refusal("\(item.path): a folder of that name in \(plan.output.path) holds other files of the "
                + "answers; rename the folder in the archive")
        }
        let strangers = try plan.output.foreign(of: plan.fileNames(item.name) + plan.objectNames(item))
        guard !strangers.isEmpty else { return }
        let them = OutputFolder.list(strangers.map(plan.output.path(of:)))
        throw Archive.Refusal("\(item.path): \(them): there already, and not as quintet wrote it; move it "
            + "away, or say --overwrite")
    }

    private func isUnchanged(_ item: Archive.Item, _ digest: String?) -> Bool {
        guard let stamp = item.series.map({ $0.stamp }) ?? FileStamp(item.path), let seen = journal.seen(item, stamp)
        else { return false }
        return seen.digest == digest
    }

    /// By its stamp: without reading it.
    private func isUnchanged(_ path: String, _ digest: String?) throws -> Bool {
        guard let stamp = FileStamp(path), let seen = journal.seen(path, stamp) else { return false }
        return seen.digest == digest
    }

    /// Whether all files of an answer are there as they were written. One that has changed and is no image any more
    /// was damaged; what a person has changed was found before.
    private func isWhole(_ row: AnswerRow) throws -> Bool {
        guard let files = row.files, Set(plan.fileNames(row.name)).isSubset(of: files.keys) else { return false }
        return try plan.fileNames(row.name).allSatisfy { name in
            let path = plan.output.path(of: name)
            guard let written = files[name], let stamp = FileStamp(path) else { return false }
            if written.stamp == stamp { return true }
            return try Hexadecimal.text(SHA256.digest(ofFile: path)) == written.digest
        }
    }

    /// An answer in the folder belongs to one CT for good: the same file, changed or not, or the same bytes wherever
    /// they lie. Another CT of the same name, as in a loop over patients' folders that all hold a ct.nii.gz, has no
    /// place there.
    private func otherCT(than item: Archive.Item, _ content: AnsweredContent) -> String? {
        guard let owner = journal.owners[item.name], owner.content.ct != content.ct, !plan.output.mayOverwrite,
            !ArchiveJournal.isSame(owner.source, item.path)
        else { return nil }
        return "\(item.path): \(plan.output.path) holds the answer of another CT of this name (\(owner.source)); "
            + "name another folder, or the folder above both by --in"
    }

    private func read(_ path: String, isMask: Bool) throws -> Known {
        guard let stamp = FileStamp(path) else { throw Archive.Refusal("\(path) is not there any more") }
        if let seen = journal.seen(path, stamp) {
            return Known(
                digest: seen.digest, byteCount: stamp.byteCount, memoryByteCount: seen.memoryByteCount, joined: nil)
        }
        let shape = try ImageFile.shape(path: path, name: path)
        let memory = isMask ? 0 : plan.guide.memoryByteCount(shape)
        if let joined = try ImageFile.joined(path: path, name: path) {
            return Known(
                digest: SHA256.hexadecimal(of: joined), byteCount: UInt64(joined.count), memoryByteCount: memory,
                joined: joined)
        }
        let before = WallClock.nowSeconds()
        let digest = Hexadecimal.text(try SHA256.digest(ofFile: path))
        guard FileStamp(path) == stamp else {
            throw Archive.Refusal("\(path) is being written; say the same command again when it is whole")
        }
        if stamp.isSettled(at: before) {
            try journal.note(.init(
                path: FileSystem.absolutePath(path), stamp: stamp, digest: digest, memoryByteCount: memory))
        }
        return Known(digest: digest, byteCount: stamp.byteCount, memoryByteCount: memory, joined: nil)
    }

    /// A series is known by the volume that it makes.
    private func read(_ series: DicomSeries, _ item: Archive.Item) throws -> Known {
        guard let stamp = series.stamp else {
            throw Archive.Refusal("\(item.path): slices are not there any more; say the same command again")
        }
        if let seen = journal.seen(item, stamp) {
            return Known(
                digest: seen.digest, byteCount: stamp.byteCount, memoryByteCount: seen.memoryByteCount, joined: nil)
        }
        let before = WallClock.nowSeconds(), volume = try DicomProgram.convert(series, source: item.path)
        let known = Known(
            digest: SHA256.hexadecimal(of: volume), byteCount: UInt64(volume.count),
            memoryByteCount: plan.guide.memoryByteCount(series.shape), joined: volume)
        guard series.stamp == stamp else {
            throw Archive.Refusal("\(item.path) is being written; say the same command again when it is whole")
        }
        if stamp.isSettled(at: before) {
            try journal.note(.init(
                path: ArchiveJournal.key(of: item), stamp: stamp, digest: known.digest,
                memoryByteCount: known.memoryByteCount))
        }
        return known
    }

    /// A series that was read by an earlier command is made a volume once more where it is to be sent.
    private func sendable(_ ct: Known, of item: Archive.Item) throws -> Known {
        guard let series = item.series, ct.joined == nil else { return ct }
        let volume = try DicomProgram.convert(series, source: item.path)
        guard SHA256.hexadecimal(of: volume) == ct.digest else {
            throw Archive.Refusal("\(item.path) has changed while it was read; say the same command again")
        }
        var sendable = ct
        (sendable.joined, sendable.byteCount) = (volume, UInt64(volume.count))
        return sendable
    }

    private func submission(
        _ item: Archive.Item, _ mask: String?, _ known: Known, _ knownMask: Known?, _ content: AnsweredContent
    ) throws -> ItemStanding {
        let ct = try sendable(known, of: item)
        var files = [(path: item.path, label: item.fileLabel, role: "ct", known: ct)]
        if let mask, let knownMask {
            let label = WireName.fitting(mask.printable(most: .max), byteCountMax: Limits.nameBytesMax)
            files.append((mask, label, plan.guide.givenMaskRole, knownMask))
        }
        let places = files.map { $0.known.joined == nil ? plan.options.shared?.relative($0.path) : nil }
        let isShared = !places.contains(nil)
        // The mask travels first, as it is read first.
        let inputs = try files.reversed().map { file in
            let blob = BlobReference(
                role: file.role, name: file.label, digest: ContentDigest(hexadecimal: file.known.digest)!,
                byteCount: file.known.byteCount)
            if !isShared { try session.publish(blob, path: file.path, joined: file.known.joined) }
            return blob
        }
        return .toSend(
            ItemSubmission(
                name: item.label, inputs: inputs.reversed(), paths: isShared ? places.compactMap { $0 } : [],
                memoryByteCount: ct.memoryByteCount),
            .init(
                name: item.name, source: item.path, mask: mask, content: content,
                byteCount: ct.byteCount + (knownMask?.byteCount ?? 0), memoryByteCount: ct.memoryByteCount))
    }
}
