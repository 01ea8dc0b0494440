package com.nextbreakpoint.flink.examples;

import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Fails after {@code --after} records. Without {@code --restarts} Flink does not restart it, so that the job ends as
 * FAILED and what follows is up to whoever runs it.
 */
public final class FailJob {
    private FailJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = new Arguments(args, "after", "rate", "restarts", "name");
        Configuration configuration = new Configuration();
        long restarts = arguments.number("restarts", 0);
        configuration.setString("restart-strategy.type", restarts > 0 ? "fixed-delay" : "disable");
        configuration.setString("restart-strategy.fixed-delay.attempts", Long.toString(Math.max(restarts, 1)));
        configuration.setString("restart-strategy.fixed-delay.delay", "1 s");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        Numbers.from(env, Long.MAX_VALUE, arguments.number("rate", 100))
                .map(new Bomb(arguments.number("after", 1000)))
                .name("bomb")
                .sinkTo(new DiscardingSink<Long>())
                .name("nothing");
        env.execute(arguments.text("name", "fail"));
    }

    private static final class Bomb implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final long after;
        private long seen;

        Bomb(long after) {
            this.after = after;
        }

        @Override
        public Long map(Long number) {
            seen++;
            if (seen > after) {
                throw new IllegalStateException("planned failure after " + after + " records");
            }
            return number;
        }
    }
}
