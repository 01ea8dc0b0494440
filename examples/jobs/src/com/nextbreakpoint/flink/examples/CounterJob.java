package com.nextbreakpoint.flink.examples;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Counts upwards for ever, so that its exact progress can be checked after any restore.
 *
 * <p>Each record is a number. State remembers the last number of each key; a number that does not follow it counts as a
 * violation (metric {@code violations}). Each number is also committed to a file exactly once, as {@code <job id>
 * <number>}: over all committed files each number from 0 on appears once, whatever happened to the job. A gap is lost
 * state, a number that appears twice is state that went back, or a second copy of the job, whose job id tells which.
 */
public final class CounterJob {
    private CounterJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                new Arguments(args, "rate", "output", "keys", "checkpoint-interval", "checkpoint-dir", "name");
        Configuration configuration = new Configuration();
        long interval = arguments.number("checkpoint-interval", 0);
        if (interval > 0) {
            configuration.setString("execution.checkpointing.interval", interval + " ms");
        }
        String directory = arguments.text("checkpoint-dir", "");
        if (!directory.isEmpty()) {
            configuration.setString("execution.checkpointing.dir", directory);
        }
        configuration.setString(
                "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);

        long keys = arguments.number("keys", 16);
        DataStream<String> lines = Numbers.from(env, Long.MAX_VALUE, arguments.number("rate", 100))
                .keyBy(new Numbers.Rest(keys), Types.LONG)
                .process(new Check(keys))
                .returns(Types.STRING)
                .name("check")
                .uid("check");
        Lines.write(lines, arguments.required("output"));
        env.execute(arguments.text("name", "counter"));
    }

    /** Checks that the numbers of a key follow each other. */
    private static final class Check extends KeyedProcessFunction<Long, Long, String> {
        private static final long serialVersionUID = 1L;

        private final long keys;
        private transient ValueState<Long> last;
        private transient String jobId;
        private transient Progress progress;

        Check(long keys) {
            this.keys = keys;
        }

        @Override
        public void open(OpenContext context) {
            last = getRuntimeContext().getState(new ValueStateDescriptor<Long>("last", Types.LONG));
            jobId = getRuntimeContext().getJobInfo().getJobId().toString();
            progress = new Progress();
            getRuntimeContext().getMetricGroup().gauge("maximum", new Value(progress, true));
            getRuntimeContext().getMetricGroup().gauge("violations", new Value(progress, false));
        }

        @Override
        public void processElement(Long number, Context context, Collector<String> out) throws Exception {
            Long before = last.value();
            long expected = before == null ? context.getCurrentKey() : before + keys;
            if (number != expected) {
                progress.violations++;
            }
            progress.maximum = Math.max(progress.maximum, number);
            last.update(number);
            out.collect(jobId + " " + number);
        }
    }

    /** What the metrics show of one subtask since its start. */
    private static final class Progress {
        volatile long maximum = -1;
        volatile long violations;
    }

    private static final class Value implements Gauge<Long> {
        private final Progress progress;
        private final boolean maximum;

        Value(Progress progress, boolean maximum) {
            this.progress = progress;
            this.maximum = maximum;
        }

        @Override
        public Long getValue() {
            return maximum ? progress.maximum : progress.violations;
        }
    }
}
