package com.nextbreakpoint.flink.examples;

import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.ReduceFunction;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Adds the numbers from 0 to {@code --count} - 1, writes {@code <job id> <sum>} to {@code --output} and ends. */
public final class BatchJob {
    private BatchJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = new Arguments(args, "count", "rate", "output", "name");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);
        DataStream<String> lines = Numbers.from(
                        env, arguments.number("count", 1000), arguments.number("rate", 1000000))
                .keyBy(new Numbers.Rest(1), Types.LONG)
                .reduce(new Sum())
                .name("sum")
                .map(new Line())
                .returns(Types.STRING)
                .name("line");
        String output = arguments.text("output", "");
        if (output.isEmpty()) {
            lines.sinkTo(new DiscardingSink<String>()).name("nothing");
        } else {
            Lines.write(lines, output);
        }
        env.execute(arguments.text("name", "batch"));
    }

    private static final class Sum implements ReduceFunction<Long> {
        private static final long serialVersionUID = 1L;

        @Override
        public Long reduce(Long a, Long b) {
            return a + b;
        }
    }

    private static final class Line extends RichMapFunction<Long, String> {
        private static final long serialVersionUID = 1L;

        private transient String jobId;

        @Override
        public void open(OpenContext context) {
            jobId = getRuntimeContext().getJobInfo().getJobId().toString();
        }

        @Override
        public String map(Long sum) {
            return jobId + " " + sum;
        }
    }
}
