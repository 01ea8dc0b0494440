package com.nextbreakpoint.flink.examples;

import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * Writes lines to files, exactly once: a file gets its final name when its checkpoint is complete. Names of files that
 * are not committed begin with a dot. There is one writer, so that the numbers of a checkpoint appear all at once: two
 * would commit one after the other, and a reader in between would see gaps that are none.
 */
final class Lines {
    private Lines() {}

    static void write(DataStream<String> lines, String directory) {
        FileSink<String> sink = FileSink.forRowFormat(new Path(directory), new SimpleStringEncoder<String>())
                .withBucketAssigner(new BasePathBucketAssigner<String>())
                .withRollingPolicy(OnCheckpointRollingPolicy.<String, String>build())
                .build();
        lines.sinkTo(sink).name("output").uid("output").setParallelism(1);
    }
}
