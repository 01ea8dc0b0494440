import java.io.FileNotFoundException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/**
 * Lists snapshots with Flink's own file systems, on the JobManager.
 *
 * <p>Each argument is a path. A snapshot is a directory that holds {@code _metadata}; the path itself and its direct
 * children are looked at. The result leaves through the text of an exception, since a program without a job has no
 * other way to answer; flinkctl's {@code flink::listing} reads it. Nothing is written and no job is started.
 */
public final class Lister {
    /** Newest snapshots that are reported for one path. */
    private static final int MOST = 200;

    private Lister() {}

    public static void main(String[] paths) {
        StringBuilder lines = new StringBuilder();
        for (String path : paths) {
            lines.append(line(path)).append('\n');
        }
        byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
        String encoded = Base64.getEncoder().encodeToString(bytes);
        throw new Listing("FLINKCTL-LISTING[" + bytes.length + ":" + encoded + "]");
    }

    /** What was found, as one line of JSON; never throws. */
    private static String line(String path) {
        String start = "{\"path\":" + quote(path) + ",\"outcome\":";
        try {
            Path directory = new Path(path);
            FileSystem files = directory.getFileSystem();
            List<Snapshot> snapshots = new ArrayList<Snapshot>();
            FileStatus[] children = children(files, directory);
            if (children == null) {
                return start + "\"absent\"}";
            }
            for (FileStatus child : children) {
                if (child.isDir()) {
                    add(snapshots, files, child.getPath());
                } else if (child.getPath().getName().equals("_metadata")) {
                    snapshots.add(new Snapshot(directory, child.getModificationTime()));
                }
            }
            return start + "\"found\",\"snapshots\":[" + newest(snapshots) + "]}";
        } catch (Throwable error) {
            return start + "\"failed\",\"cause\":" + quote(cause(error)) + "}";
        }
    }

    /** The entries of a directory, or null if it does not exist. */
    private static FileStatus[] children(FileSystem files, Path directory) throws Exception {
        try {
            if (!files.getFileStatus(directory).isDir()) {
                throw new IllegalArgumentException("not a directory: " + directory);
            }
            FileStatus[] children = files.listStatus(directory);
            return children == null ? new FileStatus[0] : children;
        } catch (FileNotFoundException absent) {
            return null;
        }
    }

    private static void add(List<Snapshot> snapshots, FileSystem files, Path directory) throws Exception {
        try {
            FileStatus metadata = files.getFileStatus(new Path(directory, "_metadata"));
            snapshots.add(new Snapshot(directory, metadata.getModificationTime()));
        } catch (FileNotFoundException incomplete) {
            // A checkpoint in progress, "shared", "taskowned", or a snapshot that was deleted just now.
        }
    }

    private static String newest(List<Snapshot> snapshots) {
        Collections.sort(snapshots, new NewestFirst());
        StringBuilder json = new StringBuilder();
        for (int i = 0; i < snapshots.size() && i < MOST; i++) {
            json.append(i == 0 ? "" : ",").append(snapshots.get(i).json());
        }
        return json.toString();
    }

    /** The error itself says what was tried, its innermost cause why that failed. */
    private static String cause(Throwable error) {
        Throwable inner = error;
        for (int depth = 0; depth < 20 && inner.getCause() != null; depth++) {
            inner = inner.getCause();
        }
        return inner == error ? text(error) : text(error) + " (" + text(inner) + ")";
    }

    private static String text(Throwable error) {
        String text = error.getClass().getSimpleName() + ": " + error.getMessage();
        return text.length() > 300 ? text.substring(0, 300) + "…" : text;
    }

    private static String quote(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }

    private static final class Snapshot {
        final String path;
        final long checkpoint;
        final long modified;

        Snapshot(Path directory, long modified) {
            this.path = directory.toString();
            this.checkpoint = number(directory.getName());
            this.modified = modified;
        }

        /** N of chk-N, or -1. */
        private static long number(String name) {
            try {
                return name.startsWith("chk-") ? Long.parseLong(name.substring(4)) : -1;
            } catch (NumberFormatException other) {
                return -1;
            }
        }

        String json() {
            return "{\"path\":" + quote(path)
                    + (checkpoint < 0 ? "" : ",\"checkpoint\":" + checkpoint)
                    + ",\"modified\":" + modified + "}";
        }
    }

    private static final class NewestFirst implements Comparator<Snapshot> {
        @Override
        public int compare(Snapshot a, Snapshot b) {
            int order = Long.compare(b.checkpoint, a.checkpoint);
            return order != 0 ? order : Long.compare(b.modified, a.modified);
        }
    }

    /** Carries the result. It has no stack trace: the text is all that matters. */
    private static final class Listing extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Listing(String text) {
            super(text, null, false, false);
        }
    }
}
