"""A folder on a disk, rebuilt from the calls that faults.c logged, as a power cut could leave it after any of them."""

from os.path import normpath


class Inode:
    """A file: what is on the disk for certain, and what was written since the last fsync."""

    def __init__(self):
        self.now, self.synced, self.unsynced = bytearray(), b"", []

    def write(self, offset, data):
        if len(self.now) < offset:
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data
        self.unsynced.append((offset, data))

    def truncate(self, length):
        del self.now[length:]
        self.unsynced.append((length, None))

    def fsync(self):
        self.synced, self.unsynced = bytes(self.now), []

    def torn(self, chance, block):
        """The bytes after a power cut: any of the blocks written since the last fsync may be missing, at any length."""
        data = bytearray(self.synced)
        likely = chance.choice((0, 0.1, 0.5, 0.9, 1))
        garbage = chance.random() < 0.3
        for offset, written in self.unsynced:
            if written is None:
                if chance.random() < 0.5:
                    del data[offset:]
                continue
            start = offset
            while start < offset + len(written):
                end = min((start // block + 1) * block, offset + len(written))
                part = written[start - offset : end - offset]
                if chance.random() >= likely:
                    part = chance.randbytes(end - start) if garbage and start >= len(data) else None
                if part is not None:
                    data.extend(bytes(max(0, start - len(data))))
                    data[start:end] = part
                start = end
        # The length is kept apart from the blocks: it may be there without them.
        if chance.random() < 0.5:
            data.extend(bytes(max(0, len(self.now) - len(data))))
        return bytes(data)


class Disk:
    """All files and folders below a folder. A name is on the disk for certain after an fsync of its folder."""

    def __init__(self, top):
        self.top = top
        self.names, self.durable, self.pending = {}, {}, []
        # The same where an fsync of anything takes all earlier changes of names with it, as with a journal.
        self.committed, self.uncommitted = {}, []
        self.opened = {}
        # All that a name ever stood for, by the calls that were made.
        self.contents = {}

    def apply(self, event, data):
        """Takes in one call. Calls that failed change nothing."""
        call, path, other, offset = event["call"], event["path"], event["other"], event["offset"]
        if call in ("create", "open+", "empty", "openw"):
            if path not in self.names:
                self.change((path, Inode()))
            self.opened[path] = self.names[path]
            if call in ("create", "empty") and self.names[path].now:
                self.names[path].truncate(0)
        elif call == "write":
            self.opened[path].write(offset, data)
        elif call == "truncate":
            self.opened[path].truncate(event["length"])
        elif call == "fsync":
            if path in self.opened:
                self.opened[path].fsync()
            self.flush(path)
        elif call == "rename":
            node = self.names[other]
            if node is True:
                self.change((other, Moved(path)))
            else:
                self.change((other, None), (path, node))
            if isinstance(node, Inode):
                self.contents.setdefault(path, set()).add(bytes(node.now))
        elif call == "symlink":
            self.change((path, other))
        elif call == "link":
            self.change((path, self.names[other]))
        elif call == "mkdir":
            self.change((path, True))
        elif call == "unlink":
            self.change((path, None))

    def change(self, *names):
        """Names that are given or taken together: (path, file, link's target, True for a folder, Moved, or None)."""
        settle(self.names, names)
        self.pending.append(names)
        self.uncommitted.append(names)

    def flush(self, folder):
        """Makes the changes of names in a folder durable."""
        rest = []
        for names in self.pending:
            if all(path.rsplit("/", 1)[0] == folder for path, _node in names):
                settle(self.durable, names)
            else:
                rest.append(names)
        self.pending = rest
        self.committed, self.uncommitted = dict(self.names), []

    def crashed(self, chance, block, order):
        """Names and contents after a power cut.

        `order`: "journal", where changes of names last in the order in which they were made; "any", where any of them
        may be lost; "lying", where they last and no fsync of a file did anything.
        """
        if order == "lying":
            names = dict(self.names)
        elif order == "journal":
            names = dict(self.committed)
            for change in self.uncommitted[: chance.randrange(len(self.uncommitted) + 1)]:
                settle(names, change)
        else:
            names = dict(self.durable)
            for change in self.pending:
                if chance.random() < 0.5:
                    settle(names, change)
        torn = {}
        found = {}
        for path, node in sorted(names.items()):
            if not self.reaches(path, names):
                continue
            if isinstance(node, Inode):
                if id(node) not in torn:
                    torn[id(node)] = lost(node, chance, block) if order == "lying" else node.torn(chance, block)
                found[path] = torn[id(node)]
            else:
                found[path] = node
        return found

    def reaches(self, path, names):
        """Whether all folders above a path are there."""
        folder = path.rsplit("/", 1)[0]
        return len(folder) <= len(self.top) or (names.get(folder) is True and self.reaches(folder, names))


class Moved:
    """A folder's new name."""

    def __init__(self, path):
        self.path = path


def settle(names, change):
    for path, node in change:
        if node is None:
            names.pop(path, None)
        elif isinstance(node, Moved):
            for name in [name for name in names if name == path or name.startswith(f"{path}/")]:
                names[node.path + name[len(path) :]] = names.pop(name)
        else:
            names[path] = node


def lost(node, chance, block):
    """A file of a disk that kept to itself what it had not written: some of its blocks are zeros, or it is cut."""
    data = bytearray(node.now)
    if data and chance.random() < 0.7:
        for start in range(0, len(data), block):
            if chance.random() < 0.2:
                data[start : start + block] = bytes(len(data[start : start + block]))
    if chance.random() < 0.3:
        del data[chance.randrange(len(data) + 1) :]
    return bytes(data)


def events(text):
    """The calls of a log of faults.c, with their results, in their order; those that failed are left out."""
    results = {}
    calls = []
    for line in text.splitlines():
        number, call, *rest = line.split("\t")
        if call == "=":
            results[number] = int(rest[0])
        else:
            path, other, offset, length = rest
            # The target of a symbolic link stays as it is written.
            path, other = normpath(path), other if call == "symlink" else normpath(other)
            calls.append((number, dict(call=call, path=path, other=other, offset=int(offset), length=int(length))))
    return [(number, event) for number, event in calls if results.get(number, -1) >= 0]
